"""Files of a folder, and uploads that are read and dropped, by nginx: files_nginx.py FOLDER PORT."""

import os
import sys
import tempfile
from pathlib import Path

CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {own}/pid;
error_log {own}/error.log;
events {{}}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {own}/body;
    proxy_temp_path {own}/proxy;
    fastcgi_temp_path {own}/fastcgi;
    uwsgi_temp_path {own}/uwsgi;
    scgi_temp_path {own}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 2g;
        location /files/ {{ alias {folder}/; }}
        location = /upload {{ return 200 "dropped"; }}
    }}
}}
"""

if __name__ == "__main__":
    folder, port = sys.argv[1:]
    own = tempfile.mkdtemp(prefix="files-nginx-", dir=folder)
    os.chmod(own, 0o755)
    Path(own, "conf").write_text(CONFIGURATION.format(own=own, folder=folder, port=port))
    os.execv("/usr/sbin/nginx", ["nginx", "-p", own, "-c", f"{own}/conf", "-e", f"{own}/error.log"])
