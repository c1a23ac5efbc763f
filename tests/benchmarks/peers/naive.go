// Naive: the design that most would write first, as a good Go programmer writes it. The peer of ingest.py.
//
// net/http, a pool of connections, prepared statements; an update is one statement for the job and one for each
// disk, each committed by itself, and then 200. A row is updated, and inserted only where there was none, which
// is the cheapest for the rows of a job under way.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v4/pgxpool"
	_ "github.com/lib/pq"
)

const schema = `
CREATE TABLE IF NOT EXISTS backup_jobs (
	id text PRIMARY KEY, job_type text NOT NULL, vm_name text NOT NULL, status text NOT NULL,
	current_phase text NOT NULL, bytes_transferred bigint NOT NULL, total_bytes bigint NOT NULL,
	transfer_speed_bps bigint NOT NULL, progress_percent double precision NOT NULL,
	error_message text NOT NULL, attempt integer NOT NULL, sequence bigint NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(), last_telemetry_at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS backup_disks (
	backup_job_id text NOT NULL REFERENCES backup_jobs, disk_index integer NOT NULL,
	bytes_transferred bigint NOT NULL, total_bytes bigint NOT NULL, progress_percent double precision NOT NULL,
	status text NOT NULL, error_message text NOT NULL, PRIMARY KEY (backup_job_id, disk_index))`

const (
	updateJob = `UPDATE backup_jobs SET job_type = $2, vm_name = $3, status = $4, current_phase = $5,
	bytes_transferred = $6, total_bytes = $7, transfer_speed_bps = $8, progress_percent = $9, error_message = $10,
	attempt = $11, sequence = $12, last_telemetry_at = $13 WHERE id = $1`
	insertJob = `INSERT INTO backup_jobs (id, job_type, vm_name, status, current_phase, bytes_transferred,
	total_bytes, transfer_speed_bps, progress_percent, error_message, attempt, sequence, last_telemetry_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`
	updateDisk = `UPDATE backup_disks SET bytes_transferred = $3, total_bytes = $4, progress_percent = $5,
	status = $6, error_message = $7 WHERE backup_job_id = $1 AND disk_index = $2`
	insertDisk = `INSERT INTO backup_disks (backup_job_id, disk_index, bytes_transferred, total_bytes,
	progress_percent, status, error_message) VALUES ($1, $2, $3, $4, $5, $6, $7)`
)

type disk struct {
	Index            int     `json:"disk_index"`
	BytesTransferred int64   `json:"bytes_transferred"`
	TotalBytes       int64   `json:"total_bytes"`
	ProgressPercent  float64 `json:"progress_percent"`
	Status           string  `json:"status"`
	ErrorMessage     string  `json:"error_message"`
}

type update struct {
	Status           string  `json:"status"`
	CurrentPhase     string  `json:"current_phase"`
	BytesTransferred int64   `json:"bytes_transferred"`
	TotalBytes       int64   `json:"total_bytes"`
	TransferSpeedBps int64   `json:"transfer_speed_bps"`
	ProgressPercent  float64 `json:"progress_percent"`
	Disks            []disk  `json:"disks"`
	Error            string  `json:"error"`
	Attempt          int     `json:"attempt"`
	Sequence         int64   `json:"sequence"`
	VMName           string  `json:"vm_name"`
}

type answer struct {
	Status    string `json:"status"`
	Message   string `json:"message"`
	Timestamp string `json:"timestamp"`
}

// database is one driver: run executes a prepared statement, commits, and returns how many rows it touched.
type database interface {
	run(ctx context.Context, statement string, values ...any) (int64, error)
}

// pq is lib/pq under database/sql, each statement prepared once a connection.
type pq map[string]*sql.Stmt

func openPQ(dsn string, size int) (pq, error) {
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	if _, err := db.Exec(schema); err != nil {
		return nil, err
	}
	prepared := pq{}
	for _, text := range []string{updateJob, insertJob, updateDisk, insertDisk} {
		if prepared[text], err = db.Prepare(text); err != nil {
			return nil, err
		}
	}
	return prepared, nil
}

func (p pq) run(ctx context.Context, statement string, values ...any) (int64, error) {
	result, err := p[statement].ExecContext(ctx, values...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// pgx is pgxpool, which prepares each statement once a connection by itself.
type pgx struct{ pool *pgxpool.Pool }

func openPGX(dsn string, size int) (pgx, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return pgx{}, err
	}
	config.MaxConns = int32(size)
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		return pgx{}, err
	}
	_, err = pool.Exec(context.Background(), schema)
	return pgx{pool}, err
}

func (p pgx) run(ctx context.Context, statement string, values ...any) (int64, error) {
	tag, err := p.pool.Exec(ctx, statement, values...)
	return tag.RowsAffected(), err
}

// upsert updates a row, or inserts it where there was none.
func upsert(ctx context.Context, db database, update, insert string, values ...any) error {
	touched, err := db.run(ctx, update, values...)
	if err == nil && touched == 0 {
		_, err = db.run(ctx, insert, values...)
	}
	return err
}

func save(ctx context.Context, db database, kind, id string, u *update) error {
	err := upsert(ctx, db, updateJob, insertJob, id, kind, u.VMName, u.Status, u.CurrentPhase, u.BytesTransferred,
		u.TotalBytes, u.TransferSpeedBps, u.ProgressPercent, u.Error, u.Attempt, u.Sequence, time.Now())
	for i := 0; i < len(u.Disks) && err == nil; i++ {
		d := &u.Disks[i]
		err = upsert(ctx, db, updateDisk, insertDisk, id, d.Index, d.BytesTransferred, d.TotalBytes,
			d.ProgressPercent, d.Status, d.ErrorMessage)
	}
	return err
}

func receive(db database) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		kind, id, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/telemetry/"), "/")
		if !found || r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 256<<10))
		u := update{Attempt: 1}
		if err == nil {
			err = json.Unmarshal(body, &u)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := save(r.Context(), db, kind, id, &u); err != nil {
			log.Print(err)
			http.Error(w, "not committed", http.StatusServiceUnavailable)
			return
		}
		said, _ := json.Marshal(answer{"success", "Telemetry received and processed", time.Now().UTC().Format(time.RFC3339)})
		w.Header().Set("Content-Type", "application/json")
		w.Write(said)
	}
}

func open(driver, dsn string, size int) (database, error) {
	switch driver {
	case "pq":
		return openPQ(dsn, size)
	case "pgx":
		return openPGX(dsn, size)
	}
	return nil, errors.New("no such driver: " + driver)
}

func main() {
	driver := flag.String("driver", "pgx", "pq or pgx")
	dsn := flag.String("database", "", "key=value pairs, as libpq's")
	size := flag.Int("pool", 16, "database connections")
	flag.Parse()
	db, err := open(*driver, *dsn, *size)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, receive(db)))
}
