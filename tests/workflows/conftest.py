from tests import cloud_fixtures

broker, cloud = cloud_fixtures.broker, cloud_fixtures.cloud
