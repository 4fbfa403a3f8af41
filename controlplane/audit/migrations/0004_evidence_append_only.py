"""Evidence is appended, gets its place once, and may lose what it said (erasure), but nothing else ever changes."""

from django.db import migrations

FORWARD = r"""
ALTER TABLE audit_evidencerecord ADD CONSTRAINT audit_evidence_content CHECK (
    document IS NULL
    OR content_hash = sha256('andromede/record/v1\012'::bytea || salt || convert_to(document, 'UTF8'))
);

CREATE FUNCTION audit_evidence_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed audit_evidencerecord;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.leaf_index IS NULL AND NEW.document IS NOT NULL THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        allowed := OLD;
        IF OLD.leaf_index IS NULL AND NEW.leaf_index IS NOT NULL THEN
            allowed.leaf_index := NEW.leaf_index;
            allowed.stream_seq := NEW.stream_seq;
            allowed.leaf_hash := NEW.leaf_hash;
        ELSIF OLD.document IS NOT NULL AND NEW.document IS NULL THEN
            allowed.document := NULL;
            allowed.salt := NULL;
        END IF;
        IF NEW IS NOT DISTINCT FROM allowed THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'evidence is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_evidence_guard BEFORE INSERT OR UPDATE OR DELETE ON audit_evidencerecord
    FOR EACH ROW EXECUTE FUNCTION audit_evidence_guard();

CREATE FUNCTION audit_log_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the evidence log is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_merklenode
    FOR EACH ROW EXECUTE FUNCTION audit_log_append_only();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION audit_log_append_only();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_cosignature
    FOR EACH ROW EXECUTE FUNCTION audit_log_append_only();
"""
BACKWARD = """
DROP TRIGGER audit_log_append_only ON audit_cosignature;
DROP TRIGGER audit_log_append_only ON audit_checkpoint;
DROP TRIGGER audit_log_append_only ON audit_merklenode;
DROP FUNCTION audit_log_append_only();
DROP TRIGGER audit_evidence_guard ON audit_evidencerecord;
DROP FUNCTION audit_evidence_guard();
ALTER TABLE audit_evidencerecord DROP CONSTRAINT audit_evidence_content;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_evidence")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
