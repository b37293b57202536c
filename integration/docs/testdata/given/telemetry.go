package snippet

import "github.com/redis/go-redis/v9"

var client redis.UniversalClient
