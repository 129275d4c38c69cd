package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/tallyroot/tallyroot/internal/mysqldb"
)

// countErrors makes the place's database count its errors, by class. It comes
// before open.
func (p *place) countErrors(r *prometheus.Registry) error {
	if p.database == nil {
		return nil
	}
	errors := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tallyroot_database_errors_total",
		Help: "Errors that the database, or the way to it, gave: unavailable, conflict, duplicate, denied, canceled, other.",
	}, []string{"class"})
	for _, class := range []string{mysqldb.ClassUnavailable, mysqldb.ClassConflict, mysqldb.ClassDuplicate, mysqldb.ClassDenied, mysqldb.ClassCanceled, mysqldb.ClassOther} {
		errors.WithLabelValues(class) // there from the start, so that a rate of it can be asked for
	}
	p.database.config.OnError = func(class string) { errors.WithLabelValues(class).Inc() }
	return r.Register(errors)
}

// showPool gives the numbers of the connections, as go_sql_….
func (o *openPlace) showPool(r *prometheus.Registry) error {
	if o.db == nil {
		return nil
	}
	return r.Register(collectors.NewDBStatsCollector(o.db, "tallyroot"))
}
