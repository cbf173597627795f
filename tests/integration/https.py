"""An HTTPS server on this machine that stands for somebody else's, with an authority that vouches for it."""
import http.server
import ssl
import subprocess
import threading


def run(*args, **more):
    subprocess.run(args, check=True, capture_output=True, **more)


class Authority:
    """Signs certificates with a key of its own; all in `folder`."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.key, self.cert = folder / f"{name}.key", folder / f"{name}.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.cert,
            "-days", "30", "-subj", f"/CN=authority {name}")

    def certify(self, host):
        """Key and certificate of a host, in one file."""
        key, request, cert = (self.folder / f"{host}.{end}" for end in ("key", "csr", "pem"))
        names = self.folder / f"{host}.ext"
        names.write_text(f"subjectAltName=DNS:{host}\n")
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={host}")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial",
            "-out", cert, "-days", "30", "-extfile", names)
        both = self.folder / f"{host}.both"
        both.write_text(key.read_text() + cert.read_text())
        return both


class Server:
    """Answers a GET by `answers[path]`: bytes (200), a status, (status, headers), or a function of the handler. `asked` has
    the paths in order, with their Host."""

    def __init__(self, certificate, answers):
        self.asked = []
        self.answers = answers
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.headers["Host"], self.path))
                answer = outer.answers.get(self.path, 404)
                if callable(answer):
                    answer(self)
                    return
                body = answer if isinstance(answer, bytes) else b"nothing\n"
                status, headers = answer if isinstance(answer, tuple) else (200 if body is answer else answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.httpd.handle_error = lambda *args: None
        self.httpd.socket = context.wrap_socket(self.httpd.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"127.0.0.1:{self.httpd.server_address[1]}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        self.over.set()
        self.httpd.shutdown()
        self.thread.join()
        self.httpd.server_close()
