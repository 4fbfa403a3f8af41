from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "controlplane.events"

    def ready(self) -> None:
        """Publish every state transition in its transaction."""
        from controlplane.events.services import publish_transition
        from controlplane.kernel import db

        if publish_transition not in db.on_move:
            db.on_move.append(publish_transition)
