package store

import (
	"time"

	"github.com/fairwayhq/fairway/internal/drive"
	"github.com/fairwayhq/fairway/internal/fault"
)

const upsertMessage = `INSERT INTO outbox (id, release, webhook, body, attempts, not_before) VALUES ($1, $2, $3, $4, $5, $6)
	ON CONFLICT (id) DO UPDATE SET release = excluded.release, webhook = excluded.webhook, body = excluded.body,
	attempts = excluded.attempts, not_before = excluded.not_before`

// PutMessage inserts the message, or replaces the one of the same ID.
func (tx *Tx) PutMessage(m drive.Message) error {
	return tx.write(upsertMessage, m.ID, m.Release, m.Webhook, rawText(m.Body), m.Attempts, nanos(m.NotBefore))
}

const selectDueMessages = `SELECT id, release, webhook, body, attempts, not_before FROM outbox
	WHERE not_before <= $1 ORDER BY not_before, id LIMIT $2`

// DueMessages returns at most limit messages whose NotBefore is not after now, oldest
// first. An update leaves out those that another one has locked.
func (tx *Tx) DueMessages(now time.Time, limit int) ([]drive.Message, error) {
	query := selectDueMessages
	if tx.writable && tx.conn.dialect() == dialectPostgres {
		query += " FOR UPDATE SKIP LOCKED"
	}
	var all []drive.Message
	err := tx.rows(func(r rows) error {
		var m drive.Message
		err := r.Scan(&m.ID, &m.Release, &m.Webhook, rawInto{&m.Body}, &m.Attempts, timeInto{&m.NotBefore})
		all = append(all, m)
		return err
	}, query, nanos(now), limited(limit))
	return all, err
}

const updateMessageDue = `UPDATE outbox SET not_before = $3 WHERE id = $1 AND not_before = $2`

// MoveMessage sets when the message is due, or returns fault.Conflict where it is not there
// with the former time.
func (tx *Tx) MoveMessage(id string, former, due time.Time) error {
	return tx.writeIf(func(changed int64, err error) error {
		if err == nil && changed == 0 {
			return fault.Errorf(fault.Conflict, "message %s is not there any more, or due at another time", id)
		}
		return err
	}, updateMessageDue, id, nanos(former), nanos(due))
}

const deleteMessage = `DELETE FROM outbox WHERE id = $1`

// DeleteMessage removes the message if it is there.
func (tx *Tx) DeleteMessage(id string) error {
	return tx.write(deleteMessage, id)
}
