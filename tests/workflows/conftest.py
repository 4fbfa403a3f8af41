from tests import cloud_fixtures
from tests.workflows import shared_pool

broker, cloud = cloud_fixtures.broker, cloud_fixtures.cloud
shared, agent = shared_pool.shared, shared_pool.agent
