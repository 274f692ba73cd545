package parse

import (
	"errors"

	"segue/archive"
	"segue/columnar"
	"segue/document"
)

// parquetSource makes a record of each row; see package columnar.
type parquetSource struct{ rows *columnar.Reader }

func openParquet(doc *archive.Document, turn *document.Turn, cfg Config) (source, error) {
	file, err := doc.File()
	if err != nil {
		return nil, contentFailure(err)
	}
	rows, err := columnar.Open(file, file.Size, columnar.Limits{MaxRow: cfg.MaxRecord, MaxDepth: cfg.MaxDepth, Small: document.Small, Large: turn.Take})
	if err != nil {
		return nil, parquetFailure(err)
	}
	return parquetSource{rows}, nil
}

func (s parquetSource) at() Place { return Place{Row: s.rows.Row()} }

func (s parquetSource) next(dst []byte) ([]byte, error) {
	dst, err := s.rows.Next(dst)
	return dst, parquetFailure(err)
}

// Close gives back what is in memory of the file.
func (s parquetSource) Close() error { return s.rows.Close() }

// parquetFailure makes failures of columnar's errors; io.EOF and errors of the
// file stay as they are.
func parquetFailure(err error) error {
	var e *columnar.Error
	if !errors.As(err, &e) {
		return err
	}
	at := Place{Row: e.Row, Pointer: string(e.Column)}
	if e.Limit {
		return over("parquet", at, "%w", e)
	}
	return refuse(CodeNotWellFormed, at, "%w", e)
}
