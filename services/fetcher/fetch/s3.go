package fetch

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// webURL returns where a URL is requested: of s3://BUCKET/KEY at the endpoint, with
// the bucket in the path, which any S3-compatible server understands.
func (f *Fetcher) webURL(u *url.URL) *url.URL {
	if u.Scheme != "s3" {
		return u
	}
	web := *f.s3
	web.Path = strings.TrimSuffix(web.Path, "/") + "/" + u.Host + u.Path
	web.RawPath = escapeS3(web.Path)
	return &web
}

// escapeS3 percent-encodes a path as S3 signs it: all but letters, digits, -, _, .,
// ~ and /.
func escapeS3(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// emptyDigest is the SHA-256 of no bytes: a GET has no body.
const emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// The secrets that are the credentials for S3.
const (
	s3AccessKey    = "s3_access_key"
	s3SecretKey    = "s3_secret_key"
	s3SessionToken = "s3_session_token"
)

// s3Credentials reads the credentials for the endpoint; nil if there are none.
func (f *Fetcher) s3Credentials() (*aws.Credentials, error) {
	if f.cfg.Secrets == "" {
		return nil, nil
	}
	access, err := f.secret(f.s3, s3AccessKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	secret, err := f.secret(f.s3, s3SecretKey)
	if err != nil {
		return nil, err
	}
	token, err := f.secret(f.s3, s3SessionToken)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &aws.Credentials{AccessKeyID: access, SecretAccessKey: secret, SessionToken: token}, nil
}

// sign signs a request for S3. Headers that are added afterwards are not covered,
// so that proxies may change them.
func (f *Fetcher) sign(req *http.Request, credentials *aws.Credentials, now time.Time) {
	req.Header.Set("X-Amz-Content-Sha256", emptyDigest)
	// It fails for credentials that are missing or out of date alone; these are neither.
	_ = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(req.Context(), *credentials, req, emptyDigest, "s3", f.cfg.S3Region, now)
}
