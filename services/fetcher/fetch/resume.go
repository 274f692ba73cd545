package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"segue/participant"
)

// resumePause is how long after a body broke off the rest is asked for; each time
// that helped nothing the pause doubles.
const resumePause = 100 * time.Millisecond

// download reads the body of a response. When it breaks off, it asks for the rest
// and goes on, as often as [Config.MaxResumes] says and if the origin has said how
// to tell that the document is still the same. The bytes are those on the wire,
// before any coding is taken off: that is what ranges count.
type download struct {
	f   *Fetcher
	ctx context.Context
	at  place
	o   *order

	now    *answer
	reader *patient // of its body
	offset int64    // bytes that have come
	total  int64    // bytes there are; -1 if that was not said
	// validator names the version that is being read; "" if it cannot be resumed.
	validator string
	coding    string
	left      int   // resumes
	broken    error // what the last Read met behind its bytes
}

func (f *Fetcher) newDownload(ctx context.Context, at place, o *order, a *answer) *download {
	d := &download{f: f, ctx: ctx, at: at, o: o, total: a.ContentLength, left: f.cfg.MaxResumes, coding: a.Header.Get("Content-Encoding")}
	if a.StatusCode == http.StatusOK && strings.EqualFold(strings.TrimSpace(a.Header.Get("Accept-Ranges")), "bytes") {
		d.validator = readValidators(a.Header, time.Now()).strong()
	}
	d.use(a)
	return d
}

func (d *download) use(a *answer) {
	d.now, d.reader = a, newPatient(a.ctx, a.Body, d.f.cfg.IdleTimeout, a.cancel)
}

func (d *download) close() { d.now.close() }

func (d *download) Read(p []byte) (int, error) {
	for {
		err := d.broken
		if err == nil {
			var n int
			n, err = d.reader.Read(p)
			d.offset += int64(n)
			if err == io.EOF && d.offset < d.total {
				err = io.ErrUnexpectedEOF // a part that was shorter than asked for
			}
			if err == nil || err == io.EOF {
				return n, err
			}
			if d.broken = err; n > 0 {
				return n, nil
			}
		}
		if err := d.resume(err); err != nil {
			return 0, err
		}
		d.broken = nil
	}
}

// resume asks for the rest after a body broke off. It returns why there is none.
func (d *download) resume(broken error) error {
	if d.validator == "" || d.ctx.Err() != nil {
		return broken
	}
	d.now.close()
	for wait := resumePause; d.left > 0; wait *= 2 {
		d.left--
		if err := pause(d.ctx, wait); err != nil {
			return broken
		}
		err := d.ask()
		d.f.metrics.resumed(err == nil)
		if err == nil {
			return nil
		}
		var failed *participant.Error
		if !errors.As(err, &failed) || failed.Code != CodeNetwork && failed.Code != CodeTimeout {
			return err
		}
	}
	return over(limitResumes, fmt.Errorf("%w, and there is no resuming it", broken))
}

// ask requests the rest.
func (d *download) ask() error {
	a, err := d.f.send(d.ctx, d.at, d.o, d.now.hop, http.Header{
		"Range": {fmt.Sprintf("bytes=%d-", d.offset)}, "If-Range": {d.validator},
	})
	if err != nil {
		return err
	}
	if err := d.fits(a.Response); err != nil {
		a.close()
		return err
	}
	d.use(a)
	return nil
}

// fits says whether a response is the rest of what is being read.
func (d *download) fits(resp *http.Response) error {
	status := resp.StatusCode
	if status != http.StatusPartialContent {
		if err := statusFailure(d.at, resp, time.Now()); err != nil && status != http.StatusRequestedRangeNotSatisfiable {
			return err
		}
		return d.misfit("the server answers %d %s to a request for the rest: the document has changed", status, http.StatusText(status))
	}
	value := resp.Header.Get("Content-Range")
	first, last, total, ok := parseContentRange(value)
	switch {
	case !ok, first != d.offset, last < first, total >= 0 && last >= total, d.total >= 0 && total >= 0 && total != d.total:
		return d.misfit("the server sends range %.100q, and that is not the rest from byte %d on", value, d.offset)
	case resp.Header.Get("Content-Encoding") != d.coding:
		return d.misfit("the server sends the rest in another content coding")
	case strings.HasPrefix(d.validator, `"`) && resp.Header.Get("ETag") != "" && resp.Header.Get("ETag") != d.validator:
		return d.misfit("the server sends the rest of another version")
	}
	d.total = max(d.total, total)
	if d.total < 0 {
		return d.misfit("the server does not say how long the document is")
	}
	return nil
}

func (d *download) misfit(format string, args ...any) error {
	return retryable(d.at, CodeBrokenBody, fmt.Errorf("the body breaks off after %d bytes, and %s", d.offset, fmt.Sprintf(format, args...)))
}

var contentRange = regexp.MustCompile(`^bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)$`)

// parseContentRange reads a Content-Range header; total is -1 if it is not said.
func parseContentRange(value string) (first, last, total int64, ok bool) {
	m := contentRange.FindStringSubmatch(value)
	if m == nil {
		return 0, 0, 0, false
	}
	first, _ = strconv.ParseInt(m[1], 10, 64) // at most 18 digits
	last, _ = strconv.ParseInt(m[2], 10, 64)
	total = -1
	if m[3] != "*" {
		total, _ = strconv.ParseInt(m[3], 10, 64)
	}
	return first, last, total, true
}
