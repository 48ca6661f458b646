package javascript

import "embed"

const compiledDir = "precompiled/arm64"

//go:embed all:precompiled/arm64
var compiled embed.FS
