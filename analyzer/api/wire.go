package api

import (
	"time"

	"vedette.dev/analyzer"
)

// Status is what GET /vedette/v1/status answers: what this server is and how
// far it has come.
type Status struct {
	Version   string    `json:"version"`
	Cluster   string    `json:"cluster"`
	Now       time.Time `json:"now"`
	Started   time.Time `json:"started"`
	Mode      string    `json:"mode"`      // observe, recommend, approve: what touches nodes
	Simulated bool      `json:"simulated"` // the cluster is made up
	Model     string    `json:"model"`     // the language model in use; "" is none
	Backfill  *Backfill `json:"backfill,omitempty"`
	Agents    []Agent   `json:"agents"` // by name
	OpenCount int       `json:"openIncidents"`
	Waiting   int       `json:"waitingActions"`
}

// Backfill is how far made-up history has been filled in.
type Backfill struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Done float64   `json:"done"` // 0..1
	Err  string    `json:"error,omitempty"`
}

// Agent is one node agent, by what it last sent.
type Agent struct {
	Node     string    `json:"node"`
	LastSeen time.Time `json:"lastSeen"`
	Stale    bool      `json:"stale"` // nothing for three of its periods
}

// Fleet is what GET /vedette/v1/fleet answers: every GPU of every node, as it
// is now. A reading that is missing is null, never 0.
type Fleet struct {
	At    time.Time `json:"at"`
	Nodes []Node    `json:"nodes"` // by name
}

// Node is one node of the fleet.
type Node struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // instance type
	Pool     string `json:"pool"`
	Ready    bool   `json:"ready"`
	Cordoned bool   `json:"cordoned"`
	GPUs     []GPU  `json:"gpus"` // by index
}

// GPU is one GPU of a node.
type GPU struct {
	Index     string           `json:"gpu"`
	UUID      string           `json:"uuid"`
	Model     string           `json:"model"`
	Util      *float64         `json:"util"`     // percent
	Temp      *float64         `json:"temp"`     // °C
	Power     *float64         `json:"power"`    // W
	MemUsed   *float64         `json:"memUsed"`  // MiB
	MemTotal  *float64         `json:"memTotal"` // MiB
	Score     *float64         `json:"score"`    // largest anomaly score, 0..1
	Xid       int              `json:"xid"`      // newest Xid of the last hour, 0 is none
	Throttled bool             `json:"throttled"`
	Lost      bool             `json:"lost"` // was there within the hour and no longer answers
	Namespace string           `json:"namespace"`
	Pod       string           `json:"pod"`
	Incident  string           `json:"incident"` // ID of an open incident about it
	Subject   analyzer.Subject `json:"subject"`

	memFree *float64 // MiB; what the total is made of where none is sent
}
