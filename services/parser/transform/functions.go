package transform

// price says what the work of a function depends on.
type price uint8

const (
	free          price = iota + 1 // nothing: an instruction is enough
	shallow                        // its input, without what is in it
	byCharacter                    // its input, each character of it
	whole                          // its input with all that is in it
	written                        // the same as text, with every character escaped
	withArguments                  // its input and arguments
	sorting                        // the same, some times over
	custom                         // see ownCost
)

// functions are the functions that are not written in jq, and the operators.
var functions = priced(map[price][]string{
	free: {
		"empty", "error", "type", "has", "infinite", "nan", "isinfinite", "isnan", "isnormal", "isfinite", "_range",
		"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
		"floor", "round", "nearbyint", "rint", "ceil", "trunc", "significand", "fabs", "sqrt", "cbrt",
		"exp", "exp10", "exp2", "expm1", "frexp", "modf", "log", "log10", "log1p", "log2", "logb",
		"gamma", "tgamma", "lgamma", "erf", "erfc", "j0", "j1", "y0", "y1",
		"atan2", "copysign", "drem", "fdim", "fmax", "fmin", "fmod", "hypot", "nextafter", "nexttoward",
		"remainder", "ldexp", "scalb", "scalbln", "pow", "fma",
	},
	shallow: {
		"[]", "[:]", "path", "length", "utf8bytelength", "keys", "reverse", "toboolean", "implode", "_captures",
		"ltrim", "rtrim", "trim", "ascii_downcase", "ascii_upcase", "gmtime", "mktime",
	},
	byCharacter:   {"explode", "_tobase64d"},
	whole:         {"add", "flatten", "min", "max"},
	written:       {"tojson", "tostring", "format", "_tohtml", "_touri", "_tourid", "_tocsv", "_totsv", "_tosh", "_tobase64"},
	sorting:       {"sort", "unique", "_sort_by", "_group_by", "_unique_by"},
	withArguments: {"startswith", "endswith", "ltrimstr", "rtrimstr", "trimstr", "delpaths", "_min_by", "_max_by"},
	custom: {
		"+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=",
		"contains", "inside", "indices", "index", "rindex", "join", "bsearch", "transpose", "setpath", "getpath", "_match",
		"split", "strftime", "strptime", "tonumber", "fromjson", "[x]",
	},
})

// refused are functions that jq has and programs here may not use, and why.
var refused = map[string]string{
	"now": notTheRecord, "localtime": notTheRecord, "strflocaltime": notTheRecord, "env": notTheRecord, "$ENV": notTheRecord,
	"input": notTheRecord, "inputs": notTheRecord, "input_filename": notTheRecord, "input_line_number": notTheRecord,
	"builtins": notTheRecord, "modulemeta": notTheRecord, "get_search_list": notTheRecord, "$__prog_args": notTheRecord,
	"debug": noEffect, "stderr": noEffect, "halt": noEffect, "halt_error": noEffect,
}

const (
	notTheRecord = "what it returns does not depend on the record alone"
	noEffect     = "a transform has no effect but what it puts out"
)

func priced(groups map[price][]string) map[string]price {
	all := make(map[string]price)
	for p, names := range groups {
		for _, name := range names {
			all[name] = p
		}
	}
	return all
}
