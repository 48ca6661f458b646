package javascript

import "embed"

const compiledDir = "precompiled/amd64"

//go:embed all:precompiled/amd64
var compiled embed.FS
