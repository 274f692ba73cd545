package validate

import (
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// shape is a schema that says of most values that fit, quickly, that they do. It
// never says so of one that does not. Of any other value, and of a schema with
// keywords that a shape does not know, the library has the word: what a value
// violates, only the library says.
type shape struct {
	schema     *jsonschema.Schema // for the keywords that are used as they are
	types      types
	properties map[string]*shape
	other      *shape // of members that are not among properties; nil for any
	items      *shape // nil for any
	one        []any  // enum or const; nil for any
	least      int64  // of a number
	most       int64
}

type types uint8

const (
	integerType types = 1 << iota
	numberType
	stringType
	boolType
	nullType
	arrayType
	objectType

	anyType = integerType | numberType | stringType | boolType | nullType | arrayType | objectType
)

var typesByName = map[string]types{
	"integer": integerType, "number": numberType | integerType, "string": stringType, "boolean": boolType,
	"null": nullType, "array": arrayType, "object": objectType,
}

// shapely are the fields of a schema that a shape has, or that do not matter to it:
// an extension is our meter, and a shape takes no more steps than a value has.
var shapely = []string{
	"DraftVersion", "Location", "ID", "Anchor", "Title", "Description", "Default", "Comment", "ReadOnly", "WriteOnly", "Examples", "Deprecated",
	"Extensions", "Bool", "Types", "Enum", "Const", "Format", "Required", "Properties", "AdditionalProperties", "MinItems", "MaxItems", "Items",
	"Items2020", "MinLength", "MaxLength", "Pattern", "Minimum", "Maximum",
}

// newShape returns the shape of a schema, nil if it has none.
func newShape(schema *jsonschema.Schema) *shape {
	fields := reflect.ValueOf(schema).Elem()
	for i := range fields.NumField() {
		if f := fields.Type().Field(i); f.IsExported() && !slices.Contains(shapely, f.Name) && !fields.Field(i).IsZero() {
			return nil
		}
	}
	s := &shape{schema: schema, types: anyType, least: math.MinInt64, most: math.MaxInt64}
	if schema.Bool != nil && !*schema.Bool {
		s.types = 0
	}
	if schema.Types != nil {
		s.types = 0
		for _, name := range schema.Types.ToStrings() {
			s.types |= typesByName[name]
		}
	}
	if schema.Enum != nil {
		s.one = schema.Enum.Values
	}
	if schema.Const != nil {
		s.one = []any{*schema.Const}
	}
	if schema.Enum != nil && schema.Const != nil || !bound(&s.least, schema.Minimum) || !bound(&s.most, schema.Maximum) || !s.below() {
		return nil
	}
	return s
}

// bound takes a bound over, if it is one that fits.
func bound(value *int64, r *big.Rat) bool {
	if r == nil {
		return true
	}
	*value = r.Num().Int64()
	return r.IsInt() && r.Num().IsInt64()
}

// below makes the shapes of members and items, and reports false if one has none.
func (s *shape) below() bool {
	s.properties = make(map[string]*shape, len(s.schema.Properties))
	for name, schema := range s.schema.Properties {
		if s.properties[name] = newShape(schema); s.properties[name] == nil {
			return false
		}
	}
	for value, schema := range map[**shape]any{&s.other: s.schema.AdditionalProperties, &s.items: s.schema.Items} {
		switch schema := schema.(type) {
		case nil:
		case bool:
			*value = &shape{schema: new(jsonschema.Schema)}
			if schema {
				*value = nil
			}
		case *jsonschema.Schema:
			if *value = newShape(schema); *value == nil {
				return false
			}
		default:
			return false
		}
	}
	if s.schema.Items2020 != nil {
		s.items = newShape(s.schema.Items2020)
		return s.items != nil
	}
	return true
}

// fits says that a value fits for sure.
func (s *shape) fits(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if s.types&objectType == 0 || s.one != nil || !s.fitsObject(v) {
			return false
		}
	case []any:
		if s.types&arrayType == 0 || s.one != nil || !s.fitsArray(v) {
			return false
		}
	case string:
		if s.types&stringType == 0 || !s.fitsText(v) {
			return false
		}
	case json.Number:
		if s.types&(numberType|integerType) == 0 || !s.fitsNumber(string(v)) {
			return false
		}
	case bool:
		if s.types&boolType == 0 {
			return false
		}
	default:
		if v != nil || s.types&nullType == 0 {
			return false
		}
	}
	return (s.one == nil || slices.Contains(s.one, v)) && (s.schema.Format == nil || s.schema.Format.Validate(v) == nil)
}

func (s *shape) fitsObject(members map[string]any) bool {
	for _, name := range s.schema.Required {
		if _, ok := members[name]; !ok {
			return false
		}
	}
	for name, v := range members {
		of, ok := s.properties[name]
		if !ok {
			of = s.other
		}
		if of != nil && !of.fits(v) {
			return false
		}
	}
	return true
}

func (s *shape) fitsArray(items []any) bool {
	if !within(len(items), s.schema.MinItems, s.schema.MaxItems) {
		return false
	}
	return s.items == nil || !slices.ContainsFunc(items, func(v any) bool { return !s.items.fits(v) })
}

func (s *shape) fitsText(v string) bool {
	if (s.schema.MinLength != nil || s.schema.MaxLength != nil) && !within(utf8.RuneCountInString(v), s.schema.MinLength, s.schema.MaxLength) {
		return false
	}
	return s.schema.Pattern == nil || s.schema.Pattern.MatchString(v)
}

// fitsNumber knows integers of 64 bits without fraction and exponent, and of all
// other numbers only that they are some.
func (s *shape) fitsNumber(v string) bool {
	if s.types&numberType != 0 && s.schema.Minimum == nil && s.schema.Maximum == nil {
		return true
	}
	if strings.ContainsAny(v, ".eE") {
		return false
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return err == nil && s.least <= n && n <= s.most
}

func within(n int, least, most *int) bool {
	return (least == nil || n >= *least) && (most == nil || n <= *most)
}
