package validate

// digitsWithin reports whether a JSON number has at most limit digits when it is
// written out without an exponent: 12.5e3 is 12500, 1e-3 is 0.001. It counts the
// digits and adds the exponent, which is never too few.
func digitsWithin(number []byte, limit int) bool {
	digits, exponent, inExponent := 0, 0, false
	for _, c := range number {
		switch {
		case c == 'e' || c == 'E':
			inExponent = true
		case c < '0' || c > '9': // sign or point
		case inExponent:
			exponent = exponent*10 + int(c-'0')
		default:
			digits++
		}
		if digits+exponent > limit {
			return false
		}
	}
	return true
}
