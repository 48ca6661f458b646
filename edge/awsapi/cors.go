package awsapi

import "ledge/persist"

// cors is how browsers may use a route, with the members of API Gateway's Cors
// (https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/apis-apiid.html),
// or a function URL, with the same ones of Lambda's
// (https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html).
type cors struct {
	AllowOrigins     []string `json:",omitempty"`
	AllowMethods     []string `json:",omitempty"`
	AllowHeaders     []string `json:",omitempty"`
	ExposeHeaders    []string `json:",omitempty"`
	MaxAge           int      `json:",omitempty"` // seconds
	AllowCredentials bool     `json:",omitempty"`
}

func (c *cors) stored() *persist.CORS {
	if c == nil {
		return nil
	}
	return &persist.CORS{
		AllowOrigins: c.AllowOrigins, AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders,
		ExposeHeaders: c.ExposeHeaders, MaxAgeSeconds: c.MaxAge, AllowCredentials: c.AllowCredentials,
	}
}

func shownCORS(c *persist.CORS) *cors {
	if c == nil {
		return nil
	}
	return &cors{
		AllowOrigins: c.AllowOrigins, AllowMethods: c.AllowMethods, AllowHeaders: c.AllowHeaders,
		ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAgeSeconds, AllowCredentials: c.AllowCredentials,
	}
}

// empty reports whether c says nothing, as {} does.
func (c *cors) empty() bool {
	return len(c.AllowOrigins)+len(c.AllowMethods)+len(c.AllowHeaders)+len(c.ExposeHeaders) == 0 && c.MaxAge == 0 && !c.AllowCredentials
}
