package snippet

var url string

func remember(key string) {}
