"""What stands before a control plane on one machine: nginx, so that the pages, the API and the stream are one site.
Pages are compressed; the API's documents are not, since secrets stand in some."""

from pathlib import Path

CONFIGURATION = """\
daemon off;
user root;
worker_processes 1;
pid {run}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    server_tokens off;
    client_body_temp_path {run}/nginx-body;
    proxy_temp_path {run}/nginx-proxy;
    fastcgi_temp_path {run}/nginx-fastcgi;
    uwsgi_temp_path {run}/nginx-uwsgi;
    scgi_temp_path {run}/nginx-scgi;
    client_max_body_size 0;
    gzip on;
    gzip_min_length 1000;
    proxy_http_version 1.1;
    proxy_request_buffering off;
    proxy_read_timeout 1h;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    map $http_upgrade $connection_of_upgrade {{ default upgrade; "" ""; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass {web}; }}
        location ~ ^/(live$|v1/events/stream$|v1/consoles/) {{
            proxy_pass http://127.0.0.1:{stream};
            proxy_buffering off;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_of_upgrade;
        }}
    }}
}}
"""


def command(run: Path, *, port: int, web: str, stream_port: int) -> list[str]:
    """Writes its configuration into the folder `run`. `web`: where that process is, as nginx writes it."""
    file = run / "nginx.conf"
    file.write_text(CONFIGURATION.format(run=run, port=port, web=web, stream=stream_port))
    return ["nginx", "-e", "stderr", "-p", str(run), "-c", str(file)]
