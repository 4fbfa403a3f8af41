// A link within the page moves the focus and leaves the address as it is: a form that is sent from "…#main" takes that
// along, and browsers do not put the focus where the next page asks for it when its address names a place.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(link.hash.slice(1));
  target?.focus();
  if (target && document.activeElement === target) event.preventDefault();
});
