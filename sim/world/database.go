package world

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"segue/services/saver/save"
)

// database is SQLite in memory under the saver's own statements. Between the two
// stands what may go wrong: what takes long, fails, or ends with its process.
type database struct {
	w      *world
	name   string // of the database in memory, among all of the program
	driver driver.Driver
	look   *sql.DB // keeps the memory, and looks at it in the end

	lock chan struct{} // of size 1, full while somebody writes: see [database.enter]

	mu   sync.Mutex
	busy int
}

// databases numbers them: SQLite knows them by name.
var databases atomic.Int64

func newDatabase(ctx context.Context, w *world) (*database, error) {
	d := &database{w: w, name: "sim-" + strconv.FormatInt(databases.Add(1), 10), lock: make(chan struct{}, 1)}
	var err error
	if d.look, err = sql.Open("sqlite", "file:/"+d.name+"?vfs=memdb"); err != nil {
		return nil, err
	}
	d.driver = d.look.Driver()
	conn, err := d.look.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return d, conn.Raw(func(c any) error { return fill(ctx, c.(restorer)) })
}

// restorer is what the driver's connections can do besides.
type restorer interface {
	NewRestore(from string) (*sqlite.Backup, error)
}

// pattern is an empty database with the saver's tables. Making them takes longer than
// many a world, so worlds get a copy.
var pattern struct {
	sync.Mutex
	kept driver.Conn // keeps the memory
}

const patternName = "file:/sim-pattern?vfs=memdb"

// fill copies the pattern.
func fill(ctx context.Context, c restorer) error {
	pattern.Lock()
	defer pattern.Unlock()
	if pattern.kept == nil {
		if err := makePattern(ctx); err != nil {
			return fmt.Errorf("make the saver's tables: %w", err)
		}
	}
	copied, err := c.NewRestore(patternName)
	if err != nil {
		return fmt.Errorf("copy the saver's tables: %w", err)
	}
	if _, err := copied.Step(-1); err != nil {
		return fmt.Errorf("copy the saver's tables: %w", errors.Join(err, copied.Finish()))
	}
	return copied.Finish()
}

func makePattern(ctx context.Context) error {
	d := &database{name: "sim-pattern", driver: &sqlite.Driver{}}
	kept, err := d.driver.Open(patternName)
	if err != nil {
		return err
	}
	db, err := save.OpenSQLite(ctx, databasePath, plainDriver{d})
	if err != nil {
		return errors.Join(err, kept.Close())
	}
	pattern.kept = kept
	return db.Close()
}

// databasePath is what the saver says about where it saves.
const databasePath = "sim.db"

// open opens the database for a service in one life of a process.
func (d *database) open(ctx context.Context, l *life, service string) (*save.DB, error) {
	faulty := &faultyDriver{d: d, l: l, service: service}
	db, err := save.OpenSQLite(ctx, databasePath, faulty)
	faulty.bites.Store(true) // from here on; whether it can be opened is not the question
	return db, err
}

func (d *database) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy == 0
}

// plainDriver puts the file that the saver names into memory.
type plainDriver struct{ d *database }

// Open implements [driver.Driver].
func (p plainDriver) Open(name string) (driver.Conn, error) {
	name = strings.Replace(name, "file:"+databasePath+"?", "file:/"+p.d.name+"?vfs=memdb&", 1)
	return p.d.driver.Open(strings.Replace(name, "busy_timeout(10000)", "busy_timeout(0)", 1))
}

// faultyDriver makes connections of a process that may die.
type faultyDriver struct {
	d       *database
	l       *life
	service string
	conns   atomic.Int64 // that were opened
	bites   atomic.Bool
}

// Open implements [driver.Driver].
func (f *faultyDriver) Open(name string) (driver.Conn, error) {
	c := &faultyConn{f: f, id: fmt.Sprintf("%s/%s-%d", f.l.id, f.service, f.conns.Add(1))}
	leave, err := c.enter(context.Background())
	if err != nil {
		return nil, err
	}
	defer leave()
	plain, err := plainDriver{f.d}.Open(name)
	if err != nil {
		return nil, err
	}
	c.sqliteConn = plain.(sqliteConn)
	return c, nil
}

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// lockPatience is the time that the saver gives SQLite to wait for its lock.
const lockPatience = 10 * time.Second

// faultyConn is a connection with faults.
type faultyConn struct {
	sqliteConn
	f       *faultyDriver
	id      string
	writing bool // it has the lock
}

// enter waits until nobody writes, and returns how to let others in. SQLite would
// wait for its lock in real time, in which who holds it in this world does not move.
func (c *faultyConn) enter(ctx context.Context) (leave func(), err error) {
	if c.writing {
		if c.f.l.dead() {
			return nil, errKilled
		}
		return func() {}, nil
	}
	w, d := c.f.d.w, c.f.d
	// Each comes at a moment of its own. Else it would be up to the Go scheduler which
	// of those whose service is stopped, or who take turns, is first.
	if err := c.f.l.rest(ctx, w.dice.between(time.Nanosecond, 50*time.Microsecond, c.word("come"))); err != nil {
		return nil, err
	}
	leave = func() { <-d.lock }
	select {
	case d.lock <- struct{}{}:
		return leave, nil
	default:
	}
	// A little more than that, to keep it apart from the ticks of a lease.
	timer := time.NewTimer(lockPatience + w.dice.between(time.Microsecond, time.Millisecond, c.word("enter")))
	defer timer.Stop()
	select {
	case d.lock <- struct{}{}:
		return leave, nil
	case <-c.f.l.killed:
		return nil, errKilled
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		w.count("database locked")
		return nil, errors.New("database is locked (simulated)")
	}
}

// word is what a moment of the connection is to the dice.
func (c *faultyConn) word(what string) string {
	return what + " " + c.id + " " + strconv.Itoa(int(c.f.d.w.since()))
}

// BeginTx implements [driver.ConnBeginTx]. A transaction that only reads is the
// saver's staging, in its own temporary table.
func (c *faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if o.ReadOnly {
		return c.sqliteConn.BeginTx(ctx, o)
	}
	word, p := c.word("begin"), c.f.d.w.options.outside()
	defer c.f.d.occupied()()
	if err := c.f.l.rest(ctx, c.f.d.w.delay(p, "begin", word)); err != nil {
		return nil, err
	}
	if c.f.bites.Load() && c.f.d.w.chance(p.failure, "begin refused", word) {
		return nil, errors.New("disk I/O error (simulated)")
	}
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := c.sqliteConn.BeginTx(ctx, o)
	if err != nil {
		leave()
		return nil, err
	}
	c.writing = true
	return &faultyTx{tx: tx, c: c, leave: leave}, nil
}

// ExecContext implements [driver.ExecerContext].
func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if exec := c.f.d.w.options.sabotage.exec; exec != nil {
		changed, skip := exec(query, args)
		if skip {
			return driver.RowsAffected(1), nil
		}
		query = changed
	}
	return c.sqliteConn.ExecContext(ctx, query, args)
}

// QueryContext implements [driver.QueryerContext].
func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if exec := c.f.d.w.options.sabotage.exec; exec != nil {
		query, _ = exec(query, args)
	}
	return c.sqliteConn.QueryContext(ctx, query, args)
}

// PrepareContext implements [driver.ConnPrepareContext].
func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if exec := c.f.d.w.options.sabotage.exec; exec != nil {
		query, _ = exec(query, nil)
	}
	return c.sqliteConn.PrepareContext(ctx, query)
}

// faultyTx is a transaction with faults.
type faultyTx struct {
	tx    driver.Tx
	c     *faultyConn
	leave func()
}

func (t *faultyTx) end() {
	t.c.writing = false
	t.leave()
}

// Rollback implements [driver.Tx].
func (t *faultyTx) Rollback() error {
	defer t.end()
	return t.tx.Rollback()
}

// Commit implements [driver.Tx]. After an error the transaction has ended.
func (t *faultyTx) Commit() error {
	f := t.c.f
	w, l := f.d.w, f.l
	word, p := t.c.word("commit"), w.options.outside()
	defer f.d.occupied()()
	l.mayDie("before", "commit", word)
	// A commit is not broken off, but it ends with the process.
	if err := l.rest(context.Background(), w.delay(p, "commit", word)); err != nil {
		return errors.Join(err, t.Rollback())
	}
	if f.bites.Load() && w.chance(p.failure, "commit refused", word) {
		return errors.Join(errors.New("disk I/O error (simulated)"), t.Rollback())
	}
	err := t.tx.Commit()
	t.end()
	if err != nil {
		return err
	}
	w.note(fmt.Sprintf("%d committed %s 0", w.since(), l.id))
	l.mayDie("behind", "commit", word)
	if f.bites.Load() && w.chance(p.unheard, "commit unheard", word) {
		return errUnheard
	}
	return l.rest(context.Background(), w.delay(p, "committed", word))
}

// occupied says that somebody waits for the database, until it is called again.
func (d *database) occupied() func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.busy--
	}
}
