from django.db import migrations

FUNCTIONS = ("network_publicaddress_use()", "network_port_public_use()")
# Without EXECUTE no role can attach a function to a table of its own, and have it write rows of its choice.
FORWARD = "".join(
    f"""
ALTER FUNCTION {each} SECURITY DEFINER SET search_path = public, pg_temp;
REVOKE EXECUTE ON FUNCTION {each} FROM PUBLIC;
"""
    for each in FUNCTIONS
)
BACKWARD = "".join(
    f"""
GRANT EXECUTE ON FUNCTION {each} TO PUBLIC;
ALTER FUNCTION {each} SECURITY INVOKER RESET search_path;
"""
    for each in FUNCTIONS
)


class Migration(migrations.Migration):
    """History of public addresses: triggers write it as the schema's owner, so that no process has to."""

    dependencies = [("network", "0013_groups_and_bandwidth")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
