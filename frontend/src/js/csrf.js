// The token against forgery of a form, for a request that a script makes in its stead.
export const csrf = (form) => ({ "X-CSRFToken": form.elements.csrfmiddlewaretoken.value });
