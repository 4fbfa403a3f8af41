"""Settings of all processes. Every value comes from config/env.py; docs/reference/settings.md lists them."""

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from controlplane.config import env

# numpy would start a thread for each core. The tables of placement are small, and requests share the cores anyway; and
# a process with threads cannot be forked (config/run_workers.py).
env.set_variable("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = env.path("VAR_DIR", BASE_DIR / "var")

DEBUG = env.boolean("DEBUG", False)
# Empty in a process that encrypts and signs nothing with it: Django rejects any use there.
SECRET_KEY = env.secret("SECRET_KEY")
# Earlier keys, for values that are still encrypted with them (kernel/encryption.py); separated by commas.
SECRET_KEY_FALLBACKS = [key for key in env.secret("SECRET_KEY_FALLBACKS", "").split(",") if key]
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

INSTALLED_APPS = [
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "controlplane.kernel",
    "controlplane.identity",
    "controlplane.events",
    "controlplane.quotas",
    "controlplane.audit",
    "controlplane.operations",
    "controlplane.catalog",
    "controlplane.webhooks",
    "controlplane.nodes",
    "controlplane.storage_clusters",
    "controlplane.placement",
    "controlplane.network",
    "controlplane.announcers",
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
    "controlplane.api.middleware.ContentSecurityMiddleware",
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

# The dashboard: its templates, its static files (made by scripts/setup), and the allowed origins of its pages: only our
# own files.
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
# Contact for users whom the dashboard excludes: an e-mail address, or the URL of a page (its accessibility statement).
DASHBOARD_CONTACT = env.text("DASHBOARD_CONTACT", "")
# True: browsers send the dashboard's cookies over TLS only. False only where there is no TLS: on a developer's machine.
ARE_COOKIES_SECURE = env.boolean("ARE_COOKIES_SECURE", True)
CSRF_COOKIE_SECURE = MESSAGE_COOKIE_SECURE = ARE_COOKIES_SECURE
CSRF_COOKIE_NAME = "__Host-csrftoken" if ARE_COOKIES_SECURE else "csrftoken"
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "controlplane.dashboard.views.error_pages.csrf"

# The certificate for calls to agents: worker, or web, which may only read consoles. (The watcher and the stream process
# use their own.)
PROCESS = env.text("PROCESS", "worker")

# Certificates and keys: those that this process needs, from systemd (LoadCredential=), or one folder for all in
# development, with ca.key and root.key, which elsewhere never come to the control plane.
PKI_DIR = env.path("PKI_DIR", VAR_DIR / "pki")

# Limits after which PostgreSQL ends a statement, a wait for a lock, and an idle transaction; 0: none, as manage.py has
# it for commands. A request then gets 503 and releases its thread; a step of an operation is retried.
DB_STATEMENT_LIMIT_S = env.integer("DB_STATEMENT_LIMIT_S", 20 if PROCESS == "web" else 600, minimum=0)
DB_LOCK_LIMIT_S = env.integer("DB_LOCK_LIMIT_S", 5 if PROCESS == "web" else 60, minimum=0)
DB_IDLE_TRANSACTION_LIMIT_S = env.integer("DB_IDLE_TRANSACTION_LIMIT_S", 30 if PROCESS == "web" else 300, minimum=0)
DB_OPTIONS = {
    # Generic plans: PostgreSQL takes longer to plan some of our statements for each set of values than to execute them.
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
        # `prepare_threshold` is for the cursors of kernel/prepared_queries.py; Django's own cursors prepare nothing.
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
    # Only the process that has received a message remembers it, and returns it to the queue at an orderly end. kombu
    # would keep it in Redis for an hour, and a lost wake-up is sent again within seconds.
    "ack_emulation": False,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
}
CELERY_TASK_PUBLISH_RETRY = False
# Tasks that only the signer or the sentinel may do have queues of their own, which only the process with the keys
# reads.
CELERY_TASK_ROUTES = {
    "controlplane.signer.tasks.cosign_*": {"queue": "sentinel"},
    "controlplane.signer.tasks.*": {"queue": "signer"},
    # Receivers of webhooks may be slow, and must delay nothing but other webhooks.
    "controlplane.webhooks.tasks.*": {"queue": "webhooks"},
    # Messages of operations name their queue (operations/queues.py) themselves.
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
        "celery": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        # Loggers with handlers of their own write in the same format as all others.
        "gunicorn.error": {"level": "WARNING", "handlers": [], "propagate": True},
        "uvicorn": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}

# The address of GET /metrics, /healthz and /readyz: ADDRESS:PORT, different for each process; empty: none. Where
# several workers come from one process (config/run_workers.py): NAME=ADDRESS:PORT of each, separated by commas. There
# is no authentication: only the monitoring of the platform may reach it.
OBSERVE_LISTEN = env.addresses("OBSERVE_LISTEN")
# Source of the clock that dates decisions, permits and checkpoints: a daemon that disciplines the kernel's clock, which
# the watcher checks; or an external one, of which this machine knows nothing.
CLOCK = env.choice("CLOCK", "synchronised", ("synchronised", "kept-elsewhere"))
# Receiver of traces, by OTLP over HTTP: such as http://127.0.0.1:4318/v1/traces; empty: no traces.
TRACES_URL = env.text("TRACES_URL", "")
# Folder of the metrics of the web process's workers, shared by them (config/gunicorn.py).
WEB_METRICS_DIR = env.path("WEB_METRICS_DIR", VAR_DIR / "run" / "web-metrics")

# Folder of certificates and keys: those that this process needs, given by systemd (LoadCredential=), or one folder for
# all processes in development, which also has ca.key and root.key. In production these two never come to the control
# plane.
PKI_DIR = env.path("PKI_DIR", VAR_DIR / "pki")

# Name of the evidence log in its log checkpoints. Witnesses identify the log by this name: it never changes.
LOG_ORIGIN = env.text("LOG_ORIGIN", "andromede.local/log")

# Issuer in the identity documents of instances: the address of the API, where third parties find the public keys at
# /.well-known/jwks.json.
IDENTITY_ISSUER = env.text("IDENTITY_ISSUER", "https://andromede.local").rstrip("/")

# Folder of evidence exports, which are deleted after a day: the signer writes them, web serves them.
EXPORTS_DIR = env.path("EXPORTS_DIR", VAR_DIR / "exports")
# Retention of the contents of evidence records; at least 180 days. Their existence stays on record for ever.
EVIDENCE_RETENTION_DAYS = env.integer("EVIDENCE_RETENTION_DAYS", 3650)

# Request records: how long they are kept (six months at least, as SecNumCloud 3.2, 12.6.c demands), and after which
# time an incomplete one is closed as unknown.
AUDIT_RETENTION_DAYS = env.integer("AUDIT_RETENTION_DAYS", 400, minimum=184)
AUDIT_ABANDONED_AFTER_S = env.integer("AUDIT_ABANDONED_AFTER_S", 3600, minimum=60)
# Trusted proxies, whose X-Forwarded-For names the client: addresses or networks; `unix` for a socket.
TRUSTED_PROXIES = env.words("TRUSTED_PROXIES", "")

# Retention of ended operations, placement decisions, permits and receipts of nodes. Rows that are still needed
# stay in any case (reconcilers/operation_retention.py, placement_retention.py).
OPERATION_RETENTION_DAYS = env.integer("OPERATION_RETENTION_DAYS", 400, minimum=184)
PLACEMENT_RETENTION_DAYS = env.integer("PLACEMENT_RETENTION_DAYS", 400, minimum=184)

# Releases of the Terraform provider, which the registry serves.
TERRAFORM_PROVIDERS_DIR = env.path("TERRAFORM_PROVIDERS_DIR", VAR_DIR / "terraform-providers")

AGENT_TIMEOUT_S = env.integer("AGENT_TIMEOUT_S", 30)
# Maximum number of concurrent calls to one node per process, without transfers of images; fewer than a worker has
# threads, so that a node that hangs leaves some to the others. A further call waits at most this long for one of them
# to end.
AGENT_CALLS_PER_NODE = env.integer("AGENT_CALLS_PER_NODE", 4, minimum=1)
AGENT_SLOT_WAIT_S = env.integer("AGENT_SLOT_WAIT_S", 2)
# A pool of which more than this part is allocated takes no new disks. Pools of storage clusters: by their own report.
POOL_NEARLY_FULL_PERCENT = env.integer("POOL_NEARLY_FULL_PERCENT", 95, minimum=1)
HEARTBEAT_INTERVAL_MS = env.integer("HEARTBEAT_INTERVAL_MS", 3000)
NODE_UNREACHABLE_AFTER_S = env.integer("NODE_UNREACHABLE_AFTER_S", 9)
# A node whose hook was not vouched for by its signature for this long gets only public data.
NODE_ATTESTATION_HOURS = env.integer("NODE_ATTESTATION_HOURS", 24)
# Length of the node lease for nodes with self-fencing; and the largest difference between the clocks of our own
# machines, for which the end of a node lease is delayed.
NODE_LEASE_S = env.integer("NODE_LEASE_S", 60, minimum=5)
NODE_LEASE_MARGIN_S = env.integer("NODE_LEASE_MARGIN_S", 15, minimum=1)
# True: nodes that are dead by fence evidence are fenced and recovered automatically; and the maximum number of
# unreachable nodes per zone and in total, above which our own network is presumed broken (a third of the nodes in any
# case).
RECOVER_BY_ITSELF = env.boolean("RECOVER_BY_ITSELF", True)
RECOVER_SILENT_MAX = env.integer("RECOVER_SILENT_MAX", 3, minimum=1)
# Networks or addresses of the nodes' BMCs. A request to switch a node off never goes elsewhere.
BMC_NETWORKS = env.networks("BMC_NETWORKS", "")

# Age after which an orphan is quarantined; if more than this number of our own resources look orphaned at once, none is
# quarantined: the database is probably wrong.
QUARANTINE_AFTER_S = env.integer("QUARANTINE_AFTER_S", 300, minimum=0)
QUARANTINE_AT_MOST = env.integer("QUARANTINE_AT_MOST", 5, minimum=0)

# Metrics: sampling interval of each guest (a divisor of 60; 0: none), maximum number of samples that wait for the
# database, and retention of samples and their sums.
METRICS_INTERVAL_S = env.integer("METRICS_INTERVAL_S", 10, minimum=0)
if METRICS_INTERVAL_S and 60 % METRICS_INTERVAL_S:
    raise ImproperlyConfigured(f"ANDROMEDE_METRICS_INTERVAL_S must divide 60, which {METRICS_INTERVAL_S} does not.")
METRICS_BUFFER_SAMPLES = env.integer("METRICS_BUFFER_SAMPLES", 50_000, minimum=1)
METRICS_SAMPLE_HOURS = env.integer("METRICS_SAMPLE_HOURS", 24, minimum=2)
METRICS_MINUTE_DAYS = env.integer("METRICS_MINUTE_DAYS", 7, minimum=1)
METRICS_FIVE_MINUTES_DAYS = env.integer("METRICS_FIVE_MINUTES_DAYS", 30, minimum=1)
METRICS_HOUR_DAYS = env.integer("METRICS_HOUR_DAYS", 400, minimum=1)

# Name servers of networks that are created without any.
DEFAULT_DNS_SERVERS = env.words("DEFAULT_DNS_SERVERS", "")

PLACEMENT_CLAIM_ATTEMPTS = env.integer("PLACEMENT_CLAIM_ATTEMPTS", 8)

# Delay between approval and start of a policy change that demands less. Shorter than a day only on systems without real
# data that say so.
IS_SHORT_COOLING_ALLOWED = env.boolean("IS_SHORT_COOLING_ALLOWED", False)
POLICY_COOLING_HOURS = env.integer("POLICY_COOLING_HOURS", 24, minimum=0 if IS_SHORT_COOLING_ALLOWED else 24)

OPERATION_LEASE_S = env.integer("OPERATION_LEASE_S", 60)
# Interval of the replacement of lost messages.
OPERATION_SWEEP_S = env.integer("OPERATION_SWEEP_S", 2, minimum=1)
# Maximum number of concurrent operations of one project per worker process; fewer than it has threads, so that one
# stays free for other projects.
OPERATIONS_PER_PROJECT = env.integer("OPERATIONS_PER_PROJECT", 6, minimum=1)

# Uploads of images and Terraform states are rejected while less than this is free (0: never) on the disk of the images,
# or of the database: `DATABASE_DIR`, a folder on its disk.
FREE_SPACE_MIN_MIB = env.integer("FREE_SPACE_MIN_MIB", 2048, minimum=0)
DATABASE_DIR = env.path("DATABASE_DIR", VAR_DIR)

# File that is touched when a backup of the database has been stored safely; empty: none, and the watcher reports no
# age.
BACKUP_STAMP_FILE = env.text("BACKUP_STAMP_FILE", "")

# Images: their folder (shared by web and worker), and the accepted formats and sizes.
IMAGES_DIR = env.path("IMAGES_DIR", VAR_DIR / "images")
IMAGE_MAX_BYTES = env.integer("IMAGE_MAX_BYTES", 50 * 2**30)
IMAGE_MAX_VIRTUAL_GIB = env.integer("IMAGE_MAX_VIRTUAL_GIB", 500)
# Maximum number of concurrent imports, per project, per organization, and in total: fewer than the process transfer has
# threads, so that nodes still get images while external servers are slow.
IMAGE_IMPORTS_PER_PROJECT = env.integer("IMAGE_IMPORTS_PER_PROJECT", 2, minimum=1)
IMAGE_IMPORTS_PER_ORGANIZATION = env.integer("IMAGE_IMPORTS_PER_ORGANIZATION", 4, minimum=1)
IMAGE_IMPORTS_MAX = env.integer("IMAGE_IMPORTS_MAX", 6, minimum=1)
# Hosts that images may be imported from although they resolve to private or local addresses.
IMAGE_IMPORT_PRIVATE_HOSTS = env.words("IMAGE_IMPORT_PRIVATE_HOSTS", "")

# Maximum number of image uploads at once per web process, each in a thread of its own, and the minimum rate of each.
UPLOADS_PER_PROCESS = env.integer("UPLOADS_PER_PROCESS", 4, minimum=1)
UPLOAD_MIN_BYTES_PER_S = env.integer("UPLOAD_MIN_BYTES_PER_S", 65536, minimum=1)

# Events: their retention, and the process that streams them. `STREAM_CHECK_S`: interval of the check of a stream's
# credential, and of keep-alive messages.
EVENT_RETENTION_DAYS = env.integer("EVENT_RETENTION_DAYS", 30, minimum=2)
STREAM_CHECK_S = env.integer("STREAM_CHECK_S", 10, minimum=1)
STREAM_THREADS = env.integer("STREAM_THREADS", 4, minimum=1)
STREAMS_MAX = env.integer("STREAMS_MAX", 2000, minimum=1)
STREAMS_PER_CREDENTIAL = env.integer("STREAMS_PER_CREDENTIAL", 10, minimum=1)
STREAMS_PER_ORGANIZATION = env.integer("STREAMS_PER_ORGANIZATION", 200, minimum=1)

# Long polls (GET … ?wait=), which the same process holds. Above the limit in total or per credential they are answered
# at once. `LONG_POLLS_IN_WEB`: number of threads of a web process that may wait for requests that no proxy has
# separated.
LONG_POLLS_MAX = env.integer("LONG_POLLS_MAX", 2000, minimum=1)
LONG_POLLS_PER_CREDENTIAL = env.integer("LONG_POLLS_PER_CREDENTIAL", 64, minimum=1)
LONG_POLLS_IN_WEB = env.integer("LONG_POLLS_IN_WEB", 4, minimum=0)

# Consoles and tunnels, which the same process serves. `STREAM_URL`: its address, if not the API's own. Pages of other
# hosts may open consoles only if they are among `CONSOLE_ORIGINS`. A session ends after so many minutes without input
# or output, and after so many hours in any case.
STREAM_URL = env.text("STREAM_URL", "").rstrip("/")
CONSOLE_ORIGINS = env.words("CONSOLE_ORIGINS", "")
CONSOLES_MAX = env.integer("CONSOLES_MAX", 200, minimum=1)
CONSOLES_PER_CREDENTIAL = env.integer("CONSOLES_PER_CREDENTIAL", 10, minimum=1)
CONSOLES_PER_ORGANIZATION = env.integer("CONSOLES_PER_ORGANIZATION", 40, minimum=1)
TUNNELS_MAX = env.integer("TUNNELS_MAX", 400, minimum=1)
TUNNELS_PER_CREDENTIAL = env.integer("TUNNELS_PER_CREDENTIAL", 32, minimum=1)
TUNNELS_PER_ORGANIZATION = env.integer("TUNNELS_PER_ORGANIZATION", 100, minimum=1)
CONSOLE_IDLE_MINUTES = env.integer("CONSOLE_IDLE_MINUTES", 60, minimum=1)
CONSOLE_HOURS = env.integer("CONSOLE_HOURS", 12, minimum=1)

# Webhooks: time limit for a receiver, and exceptions from public addresses and https.
WEBHOOK_TIMEOUT_S = env.integer("WEBHOOK_TIMEOUT_S", 10, minimum=1)
# Maximum number of threads for one project in a process that sends webhooks (it has 8 in the standard deployment).
WEBHOOK_THREADS_PER_PROJECT = env.integer("WEBHOOK_THREADS_PER_PROJECT", 2, minimum=1)
WEBHOOK_PRIVATE_HOSTS = env.words("WEBHOOK_PRIVATE_HOSTS", "")
IS_WEBHOOK_HTTP_ALLOWED = env.boolean("IS_WEBHOOK_HTTP_ALLOWED", False)

# Requests per minute of a user or a service account, with all of its credentials together; the multiple of that for one
# organization; and the number per address without a valid credential. 0: unlimited.
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
    "snapshots": env.integer("QUOTA_SNAPSHOTS", 100),
    "snapshot_gib": env.integer("QUOTA_SNAPSHOT_GIB", 10_000),
    "snapshot_schedules": env.integer("QUOTA_SNAPSHOT_SCHEDULES", 20),
    "networks": env.integer("QUOTA_NETWORKS", 20),
    "ports": env.integer("QUOTA_PORTS", 100),
    "addresses": env.integer("QUOTA_ADDRESSES", 100),
    "security_groups": env.integer("QUOTA_SECURITY_GROUPS", 100),
    "public_addresses": env.integer("QUOTA_PUBLIC_ADDRESSES", 10),
    "address_sets": env.integer("QUOTA_ADDRESS_SETS", 100),
    "images": env.integer("QUOTA_IMAGES", 50),
    "image_gib": env.integer("QUOTA_IMAGE_GIB", 500),
    "state_mib": env.integer("QUOTA_STATE_MIB", 2048),
    "webhooks": env.integer("QUOTA_WEBHOOKS", 10),
}

# Maximum number of valid tokens of a user or a service account.
TOKENS_PER_OWNER = env.integer("TOKENS_PER_OWNER", 50, minimum=1)

# Maximum numbers of rows (kernel/count_limits.py), per organization or per project.
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

# Sign-in. A session ends after this time, and earlier when it is not used.
SESSION_HOURS = env.integer("SESSION_HOURS", 12, minimum=1)
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", 60, minimum=5)
# Validity of a link for a first password.
PASSWORD_LINK_HOURS = env.integer("PASSWORD_LINK_HOURS", 24, minimum=1)
# Delay before the link of a confirmed reset is valid, so that the account's user can object.
PASSWORD_RESET_HOLD_MINUTES = env.integer("PASSWORD_RESET_HOLD_MINUTES", 60, minimum=0)
# Invoker of commands of manage.py: the e-mail address of a user, and the account that has called sudo.
ACTOR = env.text("ACTOR", "")
SUDO_USER = env.sudo_user()
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
# Roles that require a second factor: a platform role, or a role in an organization.
SECOND_FACTOR_DUTIES = env.words("SECOND_FACTOR_DUTIES", "operator,support,auditor,owner,admin,sovereignty_officer")
# The pages that passkeys are for (https://console.example), and the domain that they belong to: the first page's,
# unless another is given. Passkeys of one domain are useless for another.
PASSKEY_ORIGINS = env.words("PASSKEY_ORIGINS", "")
PASSKEY_DOMAIN = env.text("PASSKEY_DOMAIN", "")
# A JSON file of the OpenID providers for sign-in, and those of their hosts that are not public.
OPENID_PROVIDERS_FILE = env.text("OPENID_PROVIDERS_FILE", "")
OPENID_PRIVATE_HOSTS = env.words("OPENID_PRIVATE_HOSTS", "")
# Lockout (controlplane/signin/lockout.py): of an account from an address, after so many failures, for so long.
SIGN_IN_FAILURES = env.integer("SIGN_IN_FAILURES", 5, minimum=1)
SIGN_IN_LOCK = timedelta(minutes=env.integer("SIGN_IN_LOCK_MINUTES", 15, minimum=1))
# Default quota of an organization, as a multiple of a project's.
QUOTA_ORGANIZATION_TIMES = env.integer("QUOTA_ORGANIZATION_TIMES", 10, minimum=1)
