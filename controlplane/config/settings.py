"""Settings of all processes. Every value comes from config/env.py; docs/reference/settings.md lists them."""

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from controlplane.config import env

# numpy would begin a thread for each core. The placement's tables are small, and requests share the cores anyway; and
# what has threads cannot be copied (config/run_workers.py).
env.set_variable("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = env.path("VAR_DIR", BASE_DIR / "var")

DEBUG = env.boolean("DEBUG", False)
# Empty in a process that seals and signs nothing with it: who uses it there all the same is refused by Django.
SECRET_KEY = env.secret("SECRET_KEY")
# Earlier keys, under which something may still be sealed (kernel/encryption.py); separated by commas.
SECRET_KEY_FALLBACKS = [key for key in env.secret("SECRET_KEY_FALLBACKS", "").split(",") if key]
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

INSTALLED_APPS = [
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "controlplane.signin.axes_app.Axes",
    "controlplane.kernel",
    "controlplane.identity",
    "controlplane.events",
    "controlplane.quotas",
    "controlplane.audit",
    "controlplane.operations",
    "controlplane.catalog",
    "controlplane.webhooks",
    "controlplane.nodes",
    "controlplane.placement",
    "controlplane.network",
    "controlplane.storage",
    "controlplane.compute",
    "controlplane.compliance",
    "controlplane.metrics",
    "controlplane.terraform",
    "controlplane.workflows",
    "controlplane.reconcilers",
    "controlplane.watcher",
    "controlplane.signer",
    "controlplane.signin",
    "controlplane.api",
    "controlplane.dashboard",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "controlplane.api.middleware.RequestIdMiddleware",
    "controlplane.api.request_metrics.RequestMetricsMiddleware",
    "controlplane.api.request_audit.RequestAuditMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "controlplane.api.rate_limits.RateLimitMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "controlplane.config.urls"
WSGI_APPLICATION = "controlplane.config.wsgi.application"
APPEND_SLASH = False

# The dashboard: its templates, its static files (made by scripts/setup), and what pages may load: our own files alone.
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "controlplane.dashboard.context.always",
            ]
        },
    }
]
FORM_RENDERER = "controlplane.dashboard.forms.Renderer"
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "controlplane" / "dashboard" / "collected"
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
# Where people turn to whom the dashboard keeps out: an e-mail address, or that of a page (its accessibility statement).
DASHBOARD_CONTACT = env.text("DASHBOARD_CONTACT", "")
# Whether browsers send the dashboard's cookies over TLS alone. False only where there is none: on one's own machine.
ARE_COOKIES_SECURE = env.boolean("ARE_COOKIES_SECURE", True)
CSRF_COOKIE_SECURE = MESSAGE_COOKIE_SECURE = ARE_COOKIES_SECURE
CSRF_COOKIE_NAME = "__Host-csrftoken" if ARE_COOKIES_SECURE else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "controlplane.dashboard.views.error_pages.csrf"

# Whose certificate calls the agents: worker, or web, which may only read consoles. (The watcher and the stream process
# use their own.)
PROCESS = env.text("PROCESS", "worker")

# Certificates and keys: those that this process needs, as systemd gives them to it (LoadCredential=), or one folder for
# all in development, where also ca.key and root.key are. Elsewhere these two never come to the control plane.
PKI_DIR = env.path("PKI_DIR", VAR_DIR / "pki")

# How long a statement may take, how long it may wait for a lock, and how long a transaction may stand still, before
# PostgreSQL ends it; 0: for ever, as manage.py has it for what people start. Requests are answered
# 503 rather than keep a thread; steps of operations are tried again.
DB_STATEMENT_LIMIT_S = env.integer("DB_STATEMENT_LIMIT_S", 20 if PROCESS == "web" else 600, minimum=0)
DB_LOCK_LIMIT_S = env.integer("DB_LOCK_LIMIT_S", 5 if PROCESS == "web" else 60, minimum=0)
DB_IDLE_TRANSACTION_LIMIT_S = env.integer("DB_IDLE_TRANSACTION_LIMIT_S", 30 if PROCESS == "web" else 300, minimum=0)
DB_OPTIONS = {
    # One plan for all values: PostgreSQL takes longer to plan some of our statements for each than to carry them out.
    "plan_cache_mode": "force_generic_plan",
    "statement_timeout": f"{DB_STATEMENT_LIMIT_S}s",
    "lock_timeout": f"{DB_LOCK_LIMIT_S}s",
    "idle_in_transaction_session_timeout": f"{DB_IDLE_TRANSACTION_LIMIT_S}s",
}
# A process on another machine than PostgreSQL's: each shows the other a certificate of the authority.
DB_TLS = {
    "sslmode": "verify-full",
    "sslrootcert": str(PKI_DIR / "ca.crt"),
    "sslcert": str(PKI_DIR / "database.crt"),
    "sslkey": str(PKI_DIR / "database.key"),
}
DATABASES = {
    "default": {
        "ENGINE": "controlplane.kernel.postgresql",
        "NAME": env.text("DB_NAME", "andromede"),
        "USER": env.text("DB_USER", "andromede"),
        "PASSWORD": env.secret("DB_PASSWORD") if env.boolean("DB_HAS_PASSWORD", False) else "",
        "HOST": env.text("DB_HOST", str(VAR_DIR / "run")),
        "PORT": env.text("DB_PORT", "5432"),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        # `prepare_threshold` is for the cursors of kernel/prepared_queries.py; Django's own prepare nothing.
        "OPTIONS": {
            "prepare_threshold": 0,
            "options": " ".join(f"-c {name}={value}" for name, value in DB_OPTIONS.items()),
            **(DB_TLS if env.boolean("DB_HAS_TLS", False) else {}),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL", f"redis+socket://{VAR_DIR}/run/redis.sock")
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 0,
    # A message that is taken is remembered by the process that has it alone, which puts it back when it ends in peace.
    # kombu would keep it in Redis for an hour, and a hint that is lost is sent again within seconds.
    "ack_emulation": False,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_TASK_PUBLISH_RETRY = False
# What only the signer or the sentinel may do is on queues of their own, which only the process with the keys reads.
CELERY_TASK_ROUTES = {
    "controlplane.signer.tasks.cosign_*": {"queue": "sentinel"},
    "controlplane.signer.tasks.*": {"queue": "signer"},
    # Receivers may be slow: they keep nobody waiting but one another.
    "controlplane.webhooks.tasks.*": {"queue": "webhooks"},
    # Operations name the queue of their lane (operations/queues.py) with each message.
    "controlplane.reconcilers.tasks.*": {"queue": "periodic"},
}
CELERY_TIMEZONE = "UTC"

TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LOCALE_PATHS = [BASE_DIR / "controlplane" / "locale"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["controlplane.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "controlplane.api.authentication.SecondFactor",
    ],
    "DEFAULT_RENDERER_CLASSES": ["controlplane.kernel.rendering.FastJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["controlplane.api.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "controlplane.api.schema.Schema",
    "EXCEPTION_HANDLER": "controlplane.api.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_HANDLERS = ["controlplane.dashboard.uploads.NoFiles"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
        "json": {"()": "telemetry.logs.Lines"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            # text for people, json for programs
            "formatter": env.choice("LOG_FORMAT", "text", ("text", "json")),
        }
    },
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO")},
    "loggers": {
        "axes": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # What has handlers of its own writes as all others do.
        "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
        "uvicorn": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}

# Where this process answers GET /metrics, /healthz and /readyz: ADDRESS:PORT, of each process its own; empty: nowhere.
# Where several workers come from one process (config/run_workers.py): NAME=ADDRESS:PORT of each, separated by commas.
# There is no credential: only those who watch over the platform may reach it.
OBSERVE_LISTEN = env.addresses("OBSERVE_LISTEN")
# Who keeps the clock by which decisions, permits and checkpoints are dated: a daemon that tells the kernel, which the
# watcher asks; or somebody of whom this machine knows nothing.
CLOCK = env.choice("CLOCK", "synchronised", ("synchronised", "kept-elsewhere"))
# Where traces go, by OTLP over HTTP: such as http://127.0.0.1:4318/v1/traces; empty: there are none.
TRACES_URL = env.text("TRACES_URL", "")
# What the workers of the web process count, for whichever of them is asked (config/gunicorn.py).
WEB_METRICS_DIR = env.path("WEB_METRICS_DIR", VAR_DIR / "run" / "web-metrics")

# What the evidence log is called in its checkpoints. Witnesses know it by this name: it never changes.
LOG_ORIGIN = env.text("LOG_ORIGIN", "andromede.local/log")

# Exports of evidence, until they are a day old: the signer writes them, web serves them.
EXPORTS_DIR = env.path("EXPORTS_DIR", VAR_DIR / "exports")
# How long the log keeps what its records say; at least 180 days. That they were there, it never forgets.
EVIDENCE_RETENTION_DAYS = env.integer("EVIDENCE_RETENTION_DAYS", 3650)

# Records of requests: how long they are kept (six months at least, as SecNumCloud 3.2, 12.6.c demands), and when one
# that nobody completed is closed as unknown.
AUDIT_RETENTION_DAYS = env.integer("AUDIT_RETENTION_DAYS", 400, minimum=184)
AUDIT_ABANDONED_AFTER_S = env.integer("AUDIT_ABANDONED_AFTER_S", 3600, minimum=60)
# The proxies whose X-Forwarded-For says where a request comes from: addresses or networks; `unix` for a socket.
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES", "")

# Operations that have ended; and placement's decisions, its permits and the receipts of nodes: how long they are kept.
# What is still needed stays in any case (reconcilers/operation_retention.py, old_placement.py).
OPERATION_RETENTION_DAYS = env.integer("OPERATION_RETENTION_DAYS", 400, minimum=184)
PLACEMENT_RETENTION_DAYS = env.integer("PLACEMENT_RETENTION_DAYS", 400, minimum=184)

# Releases of the Terraform provider, which the registry serves.
TERRAFORM_PROVIDERS_DIR = env.path("TERRAFORM_PROVIDERS_DIR", VAR_DIR / "terraform-providers")

AGENT_TIMEOUT_S = env.integer("AGENT_TIMEOUT_S", 30)
# So many calls to one node may be under way in a process, transfers of images aside; fewer than a worker has threads,
# so that a node which hangs leaves some to the others. A further call waits so long for one of them to end.
AGENT_CALLS_PER_NODE = env.integer("AGENT_CALLS_PER_NODE", 4, minimum=1)
AGENT_SLOT_WAIT_S = env.integer("AGENT_SLOT_WAIT_S", 2)
HEARTBEAT_INTERVAL_MS = env.integer("HEARTBEAT_INTERVAL_MS", 3000)
NODE_UNREACHABLE_AFTER_S = env.integer("NODE_UNREACHABLE_AFTER_S", 9)
# A node whose signature did not vouch for its hook for so long gets public data alone.
NODE_ATTESTATION_HOURS = env.integer("NODE_ATTESTATION_HOURS", 24)
# Nodes that stop their guests when nobody hears them are given leases of so long; and how far the clocks of our own
# machines may be apart before one believes too early that such a lease is over.
NODE_LEASE_S = env.integer("NODE_LEASE_S", 60, minimum=5)
NODE_LEASE_MARGIN_S = env.integer("NODE_LEASE_MARGIN_S", 15, minimum=1)
# Whether nodes that are dead by evidence are fenced and recovered without anybody; and how many may be silent at once,
# in a zone and everywhere, before it is rather our own network that is broken (a third of the nodes in any case).
RECOVER_BY_ITSELF = env.boolean("RECOVER_BY_ITSELF", True)
RECOVER_SILENT_MAX = env.integer("RECOVER_SILENT_MAX", 3, minimum=1)
# Where BMCs of nodes may be: networks, or addresses. Nothing outside of them is ever asked to switch a node off.
BMC_NETWORKS = env.networks("BMC_NETWORKS", "")

# What nobody means to be on a node is quarantined after so long; but not more than so much at once of what bears our
# names, since then it is the database that should be looked at.
QUARANTINE_AFTER_S = env.integer("QUARANTINE_AFTER_S", 300, minimum=0)
QUARANTINE_AT_MOST = env.integer("QUARANTINE_AT_MOST", 5, minimum=0)

# Metrics: how often each guest is sampled (a divisor of 60; 0: not at all), how many samples may wait for the database,
# and how long samples and their sums are kept.
METRICS_INTERVAL_S = env.integer("METRICS_INTERVAL_S", 10, minimum=0)
if METRICS_INTERVAL_S and 60 % METRICS_INTERVAL_S:
    raise ImproperlyConfigured(f"ANDROMEDE_METRICS_INTERVAL_S must divide 60, which {METRICS_INTERVAL_S} does not.")
METRICS_BUFFER_SAMPLES = env.integer("METRICS_BUFFER_SAMPLES", 50_000, minimum=1)
METRICS_SAMPLE_HOURS = env.integer("METRICS_SAMPLE_HOURS", 24, minimum=2)
METRICS_MINUTE_DAYS = env.integer("METRICS_MINUTE_DAYS", 7, minimum=1)
METRICS_FIVE_MINUTES_DAYS = env.integer("METRICS_FIVE_MINUTES_DAYS", 30, minimum=1)
METRICS_HOUR_DAYS = env.integer("METRICS_HOUR_DAYS", 400, minimum=1)

# The name servers of networks that are made without any.
DEFAULT_DNS_SERVERS = env.words("DEFAULT_DNS_SERVERS", "")

PLACEMENT_CLAIM_ATTEMPTS = env.integer("PLACEMENT_CLAIM_ATTEMPTS", 8)

# How long what demands less waits between its approval and its coming into force. Shorter than a day only where nothing
# is at stake, and where that is said.
IS_SHORT_COOLING_ALLOWED = env.boolean("IS_SHORT_COOLING_ALLOWED", False)
POLICY_COOLING_HOURS = env.integer("POLICY_COOLING_HOURS", 24, minimum=0 if IS_SHORT_COOLING_ALLOWED else 24)

OPERATION_LEASE_S = env.integer("OPERATION_LEASE_S", 60)
# How often lost messages are replaced.
OPERATION_SWEEP_S = env.integer("OPERATION_SWEEP_S", 2, minimum=1)
# How many operations of one project a worker process carries out at once; fewer than it has threads, so that one is
# free for other projects.
OPERATIONS_PER_PROJECT = env.integer("OPERATIONS_PER_PROJECT", 6, minimum=1)

# Uploads of images and Terraform states are refused while less than this is free (0: never) where images are, or where
# the database is: `DATABASE_DIR`, a folder on its disk.
FREE_SPACE_MIN_MIB = env.integer("FREE_SPACE_MIN_MIB", 2048, minimum=0)
DATABASE_DIR = env.path("DATABASE_DIR", VAR_DIR)

# What is touched when a backup of the database is where it is safe; empty: nothing, and the watcher tells of none.
BACKUP_STAMP_FILE = env.text("BACKUP_STAMP_FILE", "")

# Images: where they are kept (shared by web and worker), and what is accepted.
IMAGES_DIR = env.path("IMAGES_DIR", VAR_DIR / "images")
IMAGE_MAX_BYTES = env.integer("IMAGE_MAX_BYTES", 50 * 2**30)
IMAGE_MAX_VIRTUAL_GIB = env.integer("IMAGE_MAX_VIRTUAL_GIB", 500)
# How many imports run at once, of one project, of one organization, and altogether: fewer than the process transfer has
# threads, so that nodes still get images while servers of strangers are slow.
IMAGE_IMPORTS_PER_PROJECT = env.integer("IMAGE_IMPORTS_PER_PROJECT", 2, minimum=1)
IMAGE_IMPORTS_PER_ORGANIZATION = env.integer("IMAGE_IMPORTS_PER_ORGANIZATION", 4, minimum=1)
IMAGE_IMPORTS_MAX = env.integer("IMAGE_IMPORTS_MAX", 6, minimum=1)
# Hosts that images may be imported from although they resolve to private or local addresses.
IMAGE_IMPORT_PRIVATE_HOSTS = env.words("IMAGE_IMPORT_PRIVATE_HOSTS", "")

# Files of images that a web process receives at once, each in a thread of its own, and how fast each must be at least.
UPLOADS_PER_PROCESS = env.integer("UPLOADS_PER_PROCESS", 4, minimum=1)
UPLOAD_MIN_BYTES_PER_S = env.integer("UPLOAD_MIN_BYTES_PER_S", 65536, minimum=1)

# Events: how long they can be read, and the process that streams them. `STREAM_CHECK_S`: how often it looks whether a
# stream's credential is still good, and says that it lives itself.
EVENT_RETENTION_DAYS = env.integer("EVENT_RETENTION_DAYS", 30, minimum=2)
STREAM_CHECK_S = env.integer("STREAM_CHECK_S", 10, minimum=1)
STREAM_THREADS = env.integer("STREAM_THREADS", 4, minimum=1)
STREAMS_MAX = env.integer("STREAMS_MAX", 2000, minimum=1)
STREAMS_PER_CREDENTIAL = env.integer("STREAMS_PER_CREDENTIAL", 10, minimum=1)
STREAMS_PER_ORGANIZATION = env.integer("STREAMS_PER_ORGANIZATION", 200, minimum=1)

# Long polls (GET … ?wait=), which the same process holds. Above the limit of all or of one credential they are answered
# at once. `LONG_POLLS_IN_WEB`: how many threads of a web process may wait for requests that no proxy has sorted.
LONG_POLLS_MAX = env.integer("LONG_POLLS_MAX", 2000, minimum=1)
LONG_POLLS_PER_CREDENTIAL = env.integer("LONG_POLLS_PER_CREDENTIAL", 64, minimum=1)
LONG_POLLS_IN_WEB = env.integer("LONG_POLLS_IN_WEB", 4, minimum=0)

# Consoles, which the same process serves. `STREAM_URL`: where it is, when not at the API's own address. Pages of other
# hosts than its own may open consoles only if they are among `CONSOLE_ORIGINS`. One ends when nobody typed and the
# guest said nothing for so many minutes, and after so many hours in any case.
STREAM_URL = env.text("STREAM_URL", "").rstrip("/")
CONSOLE_ORIGINS = env.words("CONSOLE_ORIGINS", "")
CONSOLES_MAX = env.integer("CONSOLES_MAX", 200, minimum=1)
CONSOLES_PER_CREDENTIAL = env.integer("CONSOLES_PER_CREDENTIAL", 10, minimum=1)
CONSOLES_PER_ORGANIZATION = env.integer("CONSOLES_PER_ORGANIZATION", 40, minimum=1)
CONSOLE_IDLE_MINUTES = env.integer("CONSOLE_IDLE_MINUTES", 60, minimum=1)
CONSOLE_HOURS = env.integer("CONSOLE_HOURS", 12, minimum=1)

# Webhooks: how long a receiver may take, and where else than to public addresses by https they may go.
WEBHOOK_TIMEOUT_S = env.integer("WEBHOOK_TIMEOUT_S", 10, minimum=1)
# Of the threads of a process that sends webhooks (8, as it is deployed), so many are one project's at most.
WEBHOOK_THREADS_PER_PROJECT = env.integer("WEBHOOK_THREADS_PER_PROJECT", 2, minimum=1)
WEBHOOK_PRIVATE_HOSTS = env.words("WEBHOOK_PRIVATE_HOSTS", "")
IS_WEBHOOK_HTTP_ALLOWED = env.boolean("IS_WEBHOOK_HTTP_ALLOWED", False)

# How many requests a minute a user or a service account may make, by all of its credentials together; how many times
# that one organization may make; and how many, by address, whoever shows no good credential. 0: any number.
RATE_READS_PER_MIN = env.integer("RATE_READS_PER_MIN", 3000, minimum=0)
RATE_WRITES_PER_MIN = env.integer("RATE_WRITES_PER_MIN", 600, minimum=0)
RATE_ORGANIZATION_TIMES = env.integer("RATE_ORGANIZATION_TIMES", 10, minimum=1)
RATE_ANONYMOUS_PER_MIN = env.integer("RATE_ANONYMOUS_PER_MIN", 300, minimum=0)

QUOTA_DEFAULTS = {
    "instances": env.integer("QUOTA_INSTANCES", 50),
    "vcpus": env.integer("QUOTA_VCPUS", 200),
    "memory_mib": env.integer("QUOTA_MEMORY_MIB", 400 * 1024),
    "volumes": env.integer("QUOTA_VOLUMES", 100),
    "storage_gib": env.integer("QUOTA_STORAGE_GIB", 10_000),
    "networks": env.integer("QUOTA_NETWORKS", 20),
    "addresses": env.integer("QUOTA_ADDRESSES", 100),
    "images": env.integer("QUOTA_IMAGES", 50),
    "image_gib": env.integer("QUOTA_IMAGE_GIB", 500),
    "state_mib": env.integer("QUOTA_STATE_MIB", 2048),
    "webhooks": env.integer("QUOTA_WEBHOOKS", 10),
}

# How many good tokens a user or a service account may have.
TOKENS_PER_OWNER = env.integer("TOKENS_PER_OWNER", 50, minimum=1)

# Of how many things there may be at once (kernel/count_limits.py), in an organization or in a project.
COUNTS_MAX = {
    "projects": env.integer("PROJECTS_MAX", 500, minimum=1),
    "service_accounts": env.integer("SERVICE_ACCOUNTS_MAX", 200, minimum=1),
    "invitations": env.integer("INVITATIONS_MAX", 500, minimum=1),
    "newcomers": env.integer("NEWCOMERS_MAX", 500, minimum=1),
    "classifications": env.integer("CLASSIFICATIONS_MAX", 100, minimum=1),
    "proposals": env.integer("PROPOSALS_MAX", 500, minimum=1),
    "exemptions": env.integer("EXEMPTIONS_MAX", 500, minimum=1),
    "ssh_keys": env.integer("SSH_KEYS_MAX", 500, minimum=1),
    "affinity_groups": env.integer("AFFINITY_GROUPS_MAX", 500, minimum=1),
}

# Sign-in. A session ends after so long, and earlier when it is not used.
SESSION_HOURS = env.integer("SESSION_HOURS", 12, minimum=1)
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", 60, minimum=5)
# A link with which somebody chooses their first password.
PASSWORD_LINK_HOURS = env.integer("PASSWORD_LINK_HOURS", 24, minimum=1)
# How long the link of a reset waits after it was confirmed, so that whoever has the account can object.
PASSWORD_RESET_HOLD_MINUTES = env.integer("PASSWORD_RESET_HOLD_MINUTES", 60, minimum=0)
# Who runs commands of manage.py: the e-mail address of a user, and the account that has called sudo.
ACTOR = env.text("ACTOR", "")
SUDO_USER = env.sudo_user()
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
# Whoever is one of these cannot do without a second factor: a duty for the platform, or a role in an organization.
SECOND_FACTOR_DUTIES = env.words("SECOND_FACTOR_DUTIES", "operator,support,auditor,owner,admin,sovereignty_officer")
# The pages that passkeys are for (https://console.example), and the domain that they belong to: the first page's,
# unless another is given. Passkeys of one domain are worth nothing for another.
PASSKEY_ORIGINS = env.words("PASSKEY_ORIGINS", "")
PASSKEY_DOMAIN = env.text("PASSKEY_DOMAIN", "")
# A JSON file of the OpenID providers that people may sign in with, and those of their hosts that are not public.
OPENID_PROVIDERS_FILE = env.text("OPENID_PROVIDERS_FILE", "")
OPENID_PRIVATE_HOSTS = env.words("OPENID_PRIVATE_HOSTS", "")
# Lock-out (controlplane/signin/lockout.py): of an account from an address, after so many failures, for so long.
AXES_FAILURE_LIMIT = env.integer("SIGN_IN_FAILURES", 5, minimum=1)
AXES_COOLOFF_TIME = timedelta(minutes=env.integer("SIGN_IN_LOCK_MINUTES", 15, minimum=1))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "username", "ip_address"]
AXES_USERNAME_FORM_FIELD = "username"
AXES_CLIENT_IP_CALLABLE = "controlplane.signin.client_info.remote_address"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_VERBOSE = False
# An organization may use so many times what a project may, where nothing else was agreed with it.
QUOTA_ORGANIZATION_TIMES = env.integer("QUOTA_ORGANIZATION_TIMES", 10, minimum=1)
