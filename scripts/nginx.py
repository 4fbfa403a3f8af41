"""nginx in front of a control plane on one machine, so that the pages, the API and the stream are one site.

Limits and routes are those that the playbook installs (ansible/roles/nginx/templates).
"""

from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROLE = Path(__file__).resolve().parent.parent / "ansible" / "roles" / "nginx"
CONFIGURATION = """\
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile {{ nginx_worker_connections * 2 + 512 }};
pid {{ run }}/nginx.pid;
error_log stderr warn;
events { worker_connections {{ nginx_worker_connections }}; }
http {
    access_log off;
    server_tokens off;
    client_body_temp_path {{ run }}/nginx-body;
    proxy_temp_path {{ run }}/nginx-proxy;
    fastcgi_temp_path {{ run }}/nginx-fastcgi;
    uwsgi_temp_path {{ run }}/nginx-uwsgi;
    scgi_temp_path {{ run }}/nginx-scgi;
    {% include 'http.conf.j2' %}
    upstream andromede_web { server {{ web }}; }
    upstream andromede_stream { server {{ stream }}; }
    server {
        listen 127.0.0.1:{{ port }};
        {% include 'locations.conf.j2' %}
    }
}
"""


def command(run: Path, *, port: int, web: str, stream: str) -> list[str]:
    """Write the configuration into the folder `run`, and return the command that serves it.

    `web`, `stream`: where these processes listen, as nginx writes an upstream server.
    """
    file = run / "nginx.conf"
    file.write_text(configuration(run, port=port, web=web, stream=stream))
    return ["nginx", "-e", "stderr", "-p", str(run), "-c", str(file)]


def configuration(run: Path, **listens: object) -> str:
    templates = Environment(loader=FileSystemLoader(ROLE / "templates"), undefined=StrictUndefined, autoescape=False)
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    return templates.from_string(CONFIGURATION).render(**defaults, run=run, **listens)
