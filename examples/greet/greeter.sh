#!/bin/sh
# A participant in a saga, in POSIX shell and the nats CLI: whatever can read and
# publish a NATS message can take part, in any language. A participant has two
# things to do: take a command from the queue that has its service's name, and
# publish what came of it on the subject that the command names (ce-replyto).
#
#   NATS_URL    the broker; the nats CLI reads it by itself
#   GUEST_BOOK  folder of the guest book, a page for each run; guests by default
#
# "nats consumer next" acks a command when it hands it out. If we die with it in
# our hands nobody answers, the step times out and is asked for again, as another
# attempt. So everything here may be done twice and does no harm.
set -u
book=${GUEST_BOOK:-guests} new=${GUEST_BOOK:-guests}/.new.$$
mkdir -p "$book"

# header NAME: an attribute of the command. It stays percent-encoded, as it has to
# be when it is sent on; braces are encoded too, or nats pub took them for templates.
header() { printf '%s\n' "$command" | sed -n '/^Data:$/q; s/{/%7B/g; s/^  [Cc][Ee]-'"$1"': //p'; }

# text FIELD: a string in the command's JSON, with its escapes, fit for JSON again.
text() { printf '%s\n' "$command" | sed '1,/^Data:$/d' | sed -n 's/.*"'"$1"'":"\([^"\\]*\(\\.[^"\\]*\)*\)".*/\1/p'; }

# answer TYPE JSON: the outcome, a CloudEvent in binary mode. Of two outcomes of one
# attempt the broker keeps the first; so the second, refused here, is no trouble.
answer() {
	printf '%s %s: %s %s\n' "$run" "$step" "$1" "$2"
	nats pub --quiet --jetstream --no-templates "$(header replyto)" "$2" \
		-H ce-specversion:1.0 -H "ce-type:$1" -H ce-source:/segue/services/greeter -H "ce-id:$(header id)-$1" \
		-H "ce-subject:$step" -H "ce-runid:$run" -H ce-datacontenttype:application/json \
		-H "ce-correlationid:$(header correlationid)" -H "ce-causationid:$(header id)"
}

while :; do
	command=$(nats consumer next SAGA_RUNS greeter --timeout 30s 2>/dev/null) || { sleep 1; continue; } # nothing to do, or no broker
	run=$(header runid) step=$(header subject) page=$book/$run
	case $run in '' | *[!A-Za-z0-9_-]*) continue ;; esac # it names a file: letters, digits, - and _ only
	case $(header type)/$step in
	segue.step.requested.v1/greet)
		printf '{"greeting":"Hello, %s!"}' "$(text name)" >"$new" && ln "$new" "$page" 2>/dev/null # not over a page that is there
		if [ -s "$page" ]; then
			answer segue.step.completed.v1 "$(cat "$page")"
		elif [ -e "$page" ]; then
			answer segue.step.failed.v1 '{"message":"the greeting was taken back","code":"undone","retryable":false}'
		else
			answer segue.step.failed.v1 '{"message":"the guest book cannot be written","retryable":true}'
		fi ;;
	segue.undo.requested.v1/greet)
		# An undo may come before what it undoes. An empty page keeps the late one out.
		if : >"$new" && mv -f "$new" "$page"; then
			answer segue.undo.completed.v1 ''
		else
			answer segue.undo.failed.v1 '{"message":"the guest book cannot be written","retryable":true}'
		fi ;;
	segue.step.requested.v1/seat)
		case $(text name) in
		Nobody) answer segue.step.failed.v1 '{"message":"there is no seat for Nobody","code":"no_seat","retryable":false}' ;;
		*) answer segue.step.completed.v1 '{"seat":"by the window"}' ;;
		esac ;;
	esac # all else, such as segue.step.withheld.v1, wants nothing done
	rm -f "$new"
done
