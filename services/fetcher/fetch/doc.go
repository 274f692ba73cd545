// Package fetch is the fetcher: it brings a document from a URL into the
// document store and releases it when the step is undone.
//
//	http, https               => streamed, decoded, limited; addresses checked at each connect
//	s3://BUCKET/KEY           => the same, from the S3 endpoint that is configured
//	nats-object://BUCKET/NAME => an object of a JetStream object store, if the bucket is allowed
//	file                      => read, if it lies under an allowed directory
//
// Nothing is held whole in memory, and a document appears in the store whole or
// not at all. A fetch takes as long as its context lets it; in between, each
// wait has a limit of its own in [Config].
//
// # What a server answers
//
//	200 and other 2xx           => the document; an empty body is an empty document
//	202                         => not ready yet: unavailable
//	206, 226                    => a part that nobody asked for: http_status
//	301, 302, 303, 307, 308     => followed
//	304                         => unchanged, if that was asked; else http_status
//	408, 425, 429, 5xx          => unavailable, with the delay of Retry-After
//	everything else             => http_status
//
// A redirect is followed to http and https, never from https to http, and takes
// credentials, secrets and headers along only while scheme, host and port stay
// the same. A body that ends early is no document. The end of an HTTP/1.0 body
// without Content-Length cannot be told from a cut; it is taken as the end.
//
// A body that breaks off or stands still is resumed with Range and If-Range if the
// answer had Accept-Ranges and names its version: by a strong ETag, or by a
// Last-Modified of a second or more before the answer. What comes then has to be
// exactly the rest of the same version.
//
// # What has not changed
//
// With [Known] the fetcher asks for the document only if it has changed. It is
// unchanged if the origin says so, naming no other version than it was asked
// about, or if the document that comes has the known digest. Then nothing is
// stored, and there is nothing to undo.
//
// A document is stored under the name of the attempt. When an attempt is made
// twice, and the origin has another document the second time, the first one stays:
// an outcome may speak of it. The second fails, and the next attempt begins anew.
//
// # Which addresses
//
// The check is on the address a connection is made to, after DNS, so that
// neither a name that changes, nor a redirect, nor an odd spelling gets around it.
// Public addresses may be reached on [Config.Ports], those in [Config.AllowNets]
// on any port, all others not at all. An IPv4 address inside an IPv6 one (mapped,
// or behind NAT64) is judged as that IPv4 address. Proxies of the environment
// are not used.
//
// With [Config.Proxy] it is the proxy that connects. An address in a URL, and the
// addresses that a name has here, are checked as ever, before the proxy is asked. A
// name that is not known here is left to the proxy, and so is one that changes
// before the proxy looks it up: what it must not reach, the proxy must refuse.
//
// # Turns
//
// A host, with its port, gets no more requests at a time than [Config.PerHost] and
// no more a second than [Config.HostRate], over all fetchers that share a [Board].
// A turn is held until the body has been read. A fetcher that dies leaves its turns
// for 5 s. The limits are a courtesy and no lock: a fetcher that stands still for
// longer than that may be one too many for a moment.
//
// # Text
//
// Text is stored as UTF-8. Its charset is told by a byte order mark, else by the
// charset parameter, else by an XML declaration; what says nothing is UTF-8, and so
// is JSON without a mark (RFC 8259). An XML declaration is made to say UTF-8. What
// is UTF-8 already is left as it is, byte for byte, valid or not.
//
// The media type is that of the Content-Type header, else the one that the
// extension of the name stands for, else what the first bytes look like. A header
// that says text/plain or application/octet-stream gives way to either. When the
// first bytes look like something else, the output says what.
//
// # Secrets
//
// A secret is a file in [Config.Secrets], in a folder named for the origin that it
// is for: it cannot be sent to another, whatever a command asks for.
//
//	<dir>/api.example/token       => https://api.example
//	<dir>/api.example:8443/token  => https://api.example:8443
//	<dir>/api.example:80/token    => http://api.example
//
// # Failures
//
//	code                => meaning                                                   => retryable
//	bad_url             => the URL cannot be read, or has a scheme of no use         => no
//	bad_header          => a header or auth that may not be set, or not so           => no
//	secret_missing      => there is no such secret for the origin                    => no
//	address_refused     => the address, port, bucket or endpoint is not allowed      => no
//	file_refused        => the file is not under an allowed directory, or no file    => no
//	redirect_refused    => too many redirects, or one that must not be followed      => no
//	robots_refused      => the origin's robots.txt does not allow it                 => no
//	not_found           => 404 or 410; there is no such file or object               => no
//	http_status         => any other status that a repetition would meet again       => no
//	host_not_found      => the name servers say that the host does not exist         => no
//	tls                 => the certificate is not valid for the host; no TLS         => no
//	bad_encoding        => an unknown content coding, too many, or too wide a window => no
//	bad_charset         => an unknown charset, or bytes that are not of it           => no
//	too_large           => the document is over [Config.MaxDocument]                 => no
//	decompression_bomb  => the document grows over [Config.MaxRatio]                 => no
//	host_busy           => there was no turn at the host in time                     => yes, with a delay
//	unavailable         => 202, 408, 425, 429 or 5xx                                 => yes
//	network             => no connection, a broken one, or no HTTP on it             => yes
//	timeout             => no connection, no answer or no further byte in time       => yes
//	broken_body         => the body was cut short, or does not decode                => yes
//	document_changed    => another document than when this attempt was made before   => yes
//	store_full          => the document store has no room                            => yes
//
// After each of them there is no document. Any other error, such as that of a
// store that does not answer, is retryable and carries no code. When the context
// ends the error is the context's, and what it means is left to the caller.
//
// A host name that does not exist is taken at its word: far more are mistyped
// than are about to be registered. A resolver that cannot answer is a network
// failure and is tried again.
//
// Messages name the URL without user information, fragment, and the values of
// query parameters that look like secrets; so does the URL of the document.
package fetch
