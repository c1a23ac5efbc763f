// Load: so many keep-alive connections that push telemetry, each its next update once the last was answered 200.
//
// Every connection has its share of the jobs; an update carries 4 disks and a higher sequence. Prints one JSON
// object of figures; the last acknowledged sequence of each job goes to a file, a line each, to be held against
// the database. Lean, since it shares the machine with what it measures (one thread on epoll): its own CPU is among the figures.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sort"
	"strconv"
	"syscall"
	"time"
)

const disks = 4

// body appends an update of about 700 bytes; every disk has a million bytes more than in the one before.
func body(to []byte, sequence int64) []byte {
	done := sequence * 1_000_000
	to = append(to, `{"status":"running","current_phase":"transferring","bytes_transferred":`...)
	to = strconv.AppendInt(to, disks*done, 10)
	to = append(to, `,"total_bytes":400000000000000,"transfer_speed_bps":100000000,"progress_percent":1.5,"disks":[`...)
	for index := 0; index < disks; index++ {
		if index > 0 {
			to = append(to, ',')
		}
		to = append(to, `{"disk_index":`...)
		to = strconv.AppendInt(to, int64(index), 10)
		to = append(to, `,"bytes_transferred":`...)
		to = strconv.AppendInt(to, done, 10)
		to = append(to, `,"total_bytes":100000000000000,"progress_percent":1.5,"status":"running"}`...)
	}
	to = append(to, `],"attempt":1,"sequence":`...)
	to = strconv.AppendInt(to, sequence, 10)
	return append(to, `,"vm_name":"benchmark","timestamp":"2026-11-23T02:14:07Z"}`...)
}

// connection is one keep-alive connection, its jobs, and what it has seen.
type connection struct {
	socket    int
	jobs      []string
	acked     []int64
	sequence  int64
	place     int // of the job in jobs whose answer is awaited
	began     time.Time
	answer    []byte
	durations []int32 // microseconds, of the answers that came after the warm-up
}

func dial(address string) (int, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0, err
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return 0, err
	}
	to := &syscall.SockaddrInet4{Port: number}
	copy(to.Addr[:], net.ParseIP(host).To4())
	if err := syscall.Connect(socket, to); err != nil {
		return 0, err
	}
	return socket, syscall.SetsockoptInt(socket, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

var content, request []byte

// send sends the next update of the connection's jobs, in turn. A request fits a fresh socket's buffer.
func (c *connection) send(now time.Time) error {
	c.place++
	if c.place == len(c.jobs) {
		c.place = 0
		c.sequence++
	}
	content = body(content[:0], c.sequence)
	request = append(request[:0], "POST /api/v1/telemetry/backup/"...)
	request = append(request, c.jobs[c.place]...)
	request = append(request, " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "...)
	request = strconv.AppendInt(request, int64(len(content)), 10)
	request = append(request, "\r\n\r\n"...)
	request = append(request, content...)
	c.began = now
	sent, err := syscall.Write(c.socket, request)
	if err == nil && sent < len(request) {
		err = io.ErrShortWrite
	}
	return err
}

// receive reads what came; true once the answer is whole. One other than 200 applied is an error.
func (c *connection) receive(buffer []byte) (bool, error) {
	size, err := syscall.Read(c.socket, buffer)
	if err != nil {
		return false, err
	}
	if size == 0 {
		return false, io.ErrUnexpectedEOF
	}
	c.answer = append(c.answer, buffer[:size]...)
	head := bytes.Index(c.answer, []byte("\r\n\r\n"))
	if head < 0 {
		return false, nil
	}
	length := bytes.Index(c.answer[:head], []byte("\r\nContent-Length: "))
	if length < 0 {
		return false, fmt.Errorf("an answer without a length: %s", c.answer)
	}
	size = 0
	for _, digit := range c.answer[length+18 : head] {
		if digit < '0' || digit > '9' {
			break
		}
		size = 10*size + int(digit-'0')
	}
	if len(c.answer) < head+4+size {
		return false, nil
	}
	if !bytes.HasPrefix(c.answer, []byte("HTTP/1.1 200 ")) || bytes.Contains(c.answer, []byte(`"applied":false`)) {
		return false, fmt.Errorf("not applied: %s", c.answer)
	}
	c.answer = c.answer[:0]
	c.acked[c.place] = c.sequence
	return true, nil
}

// run keeps every connection busy until the end of the time, on one thread.
func run(connections []*connection, counted, end time.Time) error {
	poll, err := syscall.EpollCreate1(0)
	if err != nil {
		return err
	}
	bySocket := map[int]*connection{}
	for _, c := range connections {
		bySocket[c.socket] = c
		wanted := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.socket)}
		if err := syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, c.socket, &wanted); err != nil {
			return err
		}
		if err := c.send(time.Now()); err != nil {
			return err
		}
	}
	events, buffer := make([]syscall.EpollEvent, 256), make([]byte, 65536)
	for waiting := len(connections); waiting > 0; {
		ready, err := syscall.EpollWait(poll, events, 10_000)
		if err == syscall.EINTR {
			continue
		}
		if err == nil && ready == 0 {
			err = fmt.Errorf("no answer for 10 s")
		}
		if err != nil {
			return err
		}
		if ready < 16 { // answers that come one by one are taken together: a wake-up each would cost the most
			syscall.Nanosleep(&syscall.Timespec{Nsec: 100_000}, nil)
		}
		for _, event := range events[:ready] {
			c := bySocket[int(event.Fd)]
			whole, err := c.receive(buffer)
			if err != nil {
				return fmt.Errorf("%s: %w", c.jobs[c.place], err)
			}
			if !whole {
				continue
			}
			now := time.Now()
			if now.After(counted) {
				c.durations = append(c.durations, int32(now.Sub(c.began).Microseconds()))
			}
			if !now.Before(end) {
				waiting--
				continue
			}
			if err := c.send(now); err != nil {
				return err
			}
		}
	}
	return nil
}

func main() {
	address := flag.String("address", "", "HOST:PORT of the server")
	count := flag.Int("connections", 64, "keep-alive connections")
	jobs := flag.Int("jobs", 512, "jobs, shared out among the connections")
	prefix := flag.String("prefix", "bench", "what the jobs' ids begin with")
	warmUp := flag.Duration("warm-up", time.Second, "time at the start that is not counted")
	span := flag.Duration("time", 5*time.Second, "time that is counted")
	acks := flag.String("acks", "", "file for the last acknowledged sequence of each job")
	flag.Parse()

	connections := make([]*connection, *count)
	for number := range connections {
		socket, err := dial(*address)
		if err != nil {
			log.Fatal(err)
		}
		c := &connection{socket: socket, place: -1, sequence: 1}
		for job := number; job < *jobs; job += *count {
			c.jobs = append(c.jobs, fmt.Sprintf("%s-%d", *prefix, job))
		}
		c.acked = make([]int64, len(c.jobs))
		connections[number] = c
	}
	counted := time.Now().Add(*warmUp)
	if err := run(connections, counted, counted.Add(*span)); err != nil {
		log.Fatal(err)
	}
	elapsed := time.Since(counted).Seconds()

	var durations []int32
	lines := &bytes.Buffer{}
	for _, c := range connections {
		durations = append(durations, c.durations...)
		for place, job := range c.jobs {
			fmt.Fprintf(lines, "%s %d\n", job, c.acked[place])
		}
	}
	if err := os.WriteFile(*acks, lines.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	sort.Slice(durations, func(i, j int) bool { return durations[i] < durations[j] })
	at := func(share float64) float64 { return float64(durations[int(share*float64(len(durations)-1))]) / 1000 }
	figures := map[string]float64{
		"updates": float64(len(durations)), "seconds": elapsed, "p50_ms": at(0.5), "p99_ms": at(0.99), "cpu": cpu(),
	}
	if err := json.NewEncoder(os.Stdout).Encode(figures); err != nil {
		log.Fatal(err)
	}
}

func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
