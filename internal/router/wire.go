package router

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// wire carries messages between two router processes over a unix socket: JSON
// after a head of eight bytes (its length, and 1 if a file comes with it). The
// file travels with the head.
type wire struct {
	*net.UnixConn
	mu sync.Mutex
}

const (
	headSize   = 8
	maxMessage = 64 << 20
)

// send sends a message, with a file if it is not nil. The descriptor is lent, not
// duplicated through os.File, whose Fd would make the shared socket blocking.
func (w *wire) send(m message, file syscall.Conn) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if file == nil {
		return w.write(body, nil, 0)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var writeErr error
	err = raw.Control(func(fd uintptr) { writeErr = w.write(body, unix.UnixRights(int(fd)), 1) })
	return errors.Join(err, writeErr)
}

func (w *wire) write(body, rights []byte, files uint32) error {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	head = binary.BigEndian.AppendUint32(head, files)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, _, err := w.WriteMsgUnix(head, rights, nil); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

// receive returns the next message; its file, nil for most, is the caller's to close.
func (w *wire) receive() (m message, file *os.File, err error) {
	head := make([]byte, headSize)
	rights := make([]byte, unix.CmsgSpace(4))
	n, got, _, _, err := w.ReadMsgUnix(head, rights)
	if err != nil {
		return m, nil, err
	}
	if n == 0 {
		return m, nil, io.EOF
	}
	if file, err = openRight(rights[:got]); err != nil {
		return m, nil, err
	}
	if err = w.read(&m, head, n, file != nil); err != nil && file != nil {
		file.Close()
		file = nil
	}
	return m, file, err
}

func (w *wire) read(m *message, head []byte, n int, file bool) error {
	if _, err := io.ReadFull(w, head[n:]); err != nil {
		return err
	}
	size, files := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
	if size > maxMessage || (files == 1) != file {
		return fmt.Errorf("a message of %d bytes that lacks its file or is too long", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(w, body); err != nil {
		return err
	}
	return json.Unmarshal(body, m)
}

func openRight(raw []byte) (*os.File, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	control, err := unix.ParseSocketControlMessage(raw)
	if err != nil || len(control) != 1 {
		return nil, fmt.Errorf("read a passed file: %w", err)
	}
	fds, err := unix.ParseUnixRights(&control[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("read a passed file: %w", err)
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "passed"), nil
}
