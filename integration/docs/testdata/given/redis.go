package snippet

import "context"

var ctx context.Context
