package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The accounts of the broker.
const (
	// StreamsAccount has the streams. What Segue keeps is kept in its name, so it
	// never changes.
	StreamsAccount = "SEGUE"
	// ClientsAccount has everybody who is not trusted with the streams.
	ClientsAccount = "SEGUE_CLIENTS"
)

// export is a subject that clients may send requests to, as far as their own
// permissions go. No two of them overlap: which one counts would be left to chance.
type export struct {
	subject string
	many    bool // answers may be many
}

var exports = []export{
	{subject: "saga.>"},
	{subject: "$KV.>"},
	{subject: "$O.>"},
	{subject: "$JS.ACK.>"},
	{subject: "$JS.API.INFO"},
	{subject: "$JS.API.STREAM.INFO.*"},
	{subject: "$JS.API.STREAM.PURGE.*"},
	{subject: "$JS.API.STREAM.MSG.GET.*"},
	{subject: "$JS.API.DIRECT.GET.*", many: true},
	{subject: "$JS.API.DIRECT.GET.*.>"},
	{subject: "$JS.API.CONSUMER.CREATE.>"},
	{subject: "$JS.API.CONSUMER.INFO.*.*"},
	{subject: "$JS.API.CONSUMER.DELETE.*.*"},
	{subject: "$JS.API.CONSUMER.LIST.*"},
	{subject: "$JS.API.CONSUMER.MSG.NEXT.*.*", many: true},
}

// Accounts writes the accounts block of a broker's configuration. Login returns
// how an identity is known, such as "nkey: U...".
func Accounts(identities []Identity, login func(Identity) string) string {
	var b strings.Builder
	b.WriteString("accounts {\n  # Has the streams.\n")
	fmt.Fprintf(&b, "  %s {\n    jetstream: enabled\n    exports: [\n", StreamsAccount)
	for _, e := range exports {
		if e.many {
			fmt.Fprintf(&b, "      {service: %q, response_type: stream}\n", e.subject)
		} else {
			fmt.Fprintf(&b, "      {service: %q}\n", e.subject)
		}
	}
	b.WriteString("    ]\n")
	users(&b, identities, true, login)
	b.WriteString("  }\n\n  # Sends requests to it. There are no streams here, so that no answer can be turned into a message.\n")
	fmt.Fprintf(&b, "  %s {\n    imports: [\n", ClientsAccount)
	for _, e := range exports {
		fmt.Fprintf(&b, "      {service: {account: %s, subject: %q}}\n", StreamsAccount, e.subject)
	}
	b.WriteString("    ]\n")
	users(&b, identities, false, login)
	b.WriteString("  }\n}\n")
	return b.String()
}

func users(b *strings.Builder, identities []Identity, inside bool, login func(Identity) string) {
	b.WriteString("    users: [")
	for _, i := range identities {
		if i.Inside != inside {
			continue
		}
		fmt.Fprintf(b, "\n      # %s: %s\n      {\n        %s\n        permissions: {\n          publish: {\n            allow: [\n", i.Name, i.About, login(i))
		grants(b, i.Grants)
		b.WriteString("            ]\n")
		if len(i.Denied) > 0 {
			b.WriteString("            deny: [\n")
			grants(b, i.Denied)
			b.WriteString("            ]\n")
		}
		fmt.Fprintf(b, "          }\n          subscribe: %q\n        }\n      }\n", i.InboxPrefix()+".>")
	}
	b.WriteString("    ]\n")
}

// lineWidth is how long a line of subjects becomes at most, if it has several.
const lineWidth = 118

// grants writes subjects, each once, with what they are for.
func grants(b *strings.Builder, list []Grant) {
	var seen []string
	for _, g := range list {
		fresh := slices.DeleteFunc(slices.Clone(g.Subjects), func(s string) bool { return slices.Contains(seen, s) })
		if len(fresh) == 0 {
			continue
		}
		const indent = "              "
		fmt.Fprintf(b, "%s# %s", indent, g.For)
		for width, i := 0, 0; i < len(fresh); i++ {
			item := strconv.Quote(fresh[i])
			if width += len(item) + 2; i == 0 || width > lineWidth {
				b.WriteString("\n" + indent + item)
				width = len(indent) + len(item)
				continue
			}
			b.WriteString(", " + item)
		}
		b.WriteString("\n")
		seen = append(seen, fresh...)
	}
}

// byPassword is how the users of deploy/nats-users.conf are known.
func byPassword(i Identity) string {
	return fmt.Sprintf("user: %s, password: $SEGUE_%s_PASSWORD", i.Name, strings.ToUpper(strings.ReplaceAll(i.Name, "-", "_")))
}
