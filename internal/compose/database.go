package compose

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/tallyroot/tallyroot/internal/mariadb"
)

const (
	databaseImage = "mariadb:10.11" // Debian's MariaDB is of that series
	databasePort  = "3306"
	databaseFiles = "/var/lib/mysql" // in the image
)

func isDatabase(image string) bool { return image == databaseImage }

// databaseHealth is the image's own script with the tests that are done here.
var databaseHealth = []string{"CMD", "healthcheck.sh", "--connect", "--innodb_initialized"}

// prepareDatabase puts Debian's MariaDB into the image's place. It makes a user
// and a database from the environment, and gives the server the command's flags,
// as the image's entrypoint does.
func (t *Topology) prepareDatabase(s *service) error {
	environment := make(map[string]string)
	for name, value := range s.config.Environment {
		if value == nil || *value == "" {
			return fmt.Errorf("%s: environment: %s has no value", s.name, name)
		}
		environment[name] = *value
	}
	d := &database{user: take(environment, "MARIADB_USER"), password: take(environment, "MARIADB_PASSWORD"),
		name: take(environment, "MARIADB_DATABASE"), rootPassword: take(environment, "MARIADB_ROOT_PASSWORD")}
	if host := take(environment, "MARIADB_ROOT_HOST"); host != "localhost" {
		return fmt.Errorf("%s: MARIADB_ROOT_HOST is %q: root must not come from elsewhere", s.name, host)
	}
	if len(environment) > 0 {
		return fmt.Errorf("%s: environment: not all of it is known here: %v", s.name, environment)
	}
	if len(s.config.Entrypoint) > 0 || slices.ContainsFunc(s.config.Command, func(c string) bool { return !strings.HasPrefix(c, "--") }) {
		return fmt.Errorf("%s: the image's own entrypoint is needed, with flags only", s.name)
	}
	if s.config.HealthCheck == nil || !slices.Equal(s.config.HealthCheck.Test, databaseHealth) {
		return fmt.Errorf("%s: healthcheck: only %q is known here", s.name, databaseHealth)
	}
	files, err := t.path(s, databaseFiles)
	if err != nil {
		return err
	}
	flags := append([]string{"--bind-address=" + s.address, "--port=" + databasePort}, s.config.Command...)
	s.command = func() (*exec.Cmd, error) {
		if err := d.make(files); err != nil {
			return nil, err
		}
		argv, err := mariadb.Command(files, flags...)
		if err != nil {
			return nil, err
		}
		return exec.Command(argv[0], argv[1:]...), nil
	}
	s.exec = func(argv []string) (*exec.Cmd, error) { return d.client(s, files, argv) }
	s.probe = func(ctx context.Context) error { return d.probe(ctx, s.address+":"+databasePort) }
	return nil
}

func take(from map[string]string, name string) string {
	value := from[name]
	delete(from, name)
	return value
}

// A database is what the image's entrypoint makes in an empty volume.
type database struct{ name, user, password, rootPassword string }

// make makes it in an empty folder; in another one, there is nothing to do.
func (d *database) make(files string) error {
	if entries, err := os.ReadDir(files); err != nil || len(entries) > 0 {
		return err
	}
	// What is half made is made again.
	unfinished := files + ".unfinished"
	if err := errors.Join(os.RemoveAll(unfinished), os.Mkdir(unfinished, 0o700)); err != nil {
		return err
	}
	server, err := mariadb.New(unfinished)
	if err != nil {
		return err
	}
	user, password := quote(d.user)+"@'%'", quote(d.password)
	err = server.Exec("",
		"CREATE DATABASE `"+d.name+"`",
		"CREATE USER "+user+" IDENTIFIED BY "+password,
		"GRANT ALL ON `"+strings.ReplaceAll(d.name, "_", `\_`)+"`.* TO "+user,
		// The last: from here on, root comes in with its password, over the socket.
		"SET PASSWORD FOR root@localhost = PASSWORD("+quote(d.rootPassword)+")",
		"DROP USER IF EXISTS root@'127.0.0.1', root@'::1'")
	if err := errors.Join(err, server.Stop()); err != nil {
		return err
	}
	if err := os.Remove(files); err != nil {
		return err
	}
	return os.Rename(unfinished, files)
}

// client makes a process of a command in the database's container, where
// programs find the database by themselves.
func (d *database) client(s *service, files string, argv []string) (*exec.Cmd, error) {
	home := files + ".home"
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(home, ".my.cnf"), []byte("[client]\nsocket="+mariadb.Socket(files)+"\n"), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
	for name, value := range s.config.Environment {
		cmd.Env = append(cmd.Env, name+"="+*value)
	}
	return cmd, nil
}

// quote writes a string literal.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// probe does what databaseHealth does: it connects, and asks for InnoDB.
func (d *database) probe(ctx context.Context, address string) error {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = d.user, d.password, "tcp", address
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var one int
	return db.QueryRowContext(ctx, "SELECT 1 FROM information_schema.ENGINES WHERE ENGINE = 'InnoDB' AND SUPPORT IN ('YES', 'DEFAULT')").Scan(&one)
}
