-- What a service remembers and its log does not hold. The log's origin and a
-- participant's id are ASCII and compared byte by byte. Times are UTC.

-- One row for each bearer token that was ever issued. The number counts a
-- participant's tokens; the key makes it unique however many processes issue.
CREATE TABLE IF NOT EXISTS tallyroot_tokens(
  origin      VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  participant VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number      BIGINT UNSIGNED NOT NULL,
  -- SHA-256 of the whole token.
  hash        BINARY(32) NOT NULL,
  created     DATETIME(6) NOT NULL,
  -- NULL: never.
  expires     DATETIME(6) NULL,
  -- NULL: it is good.
  revoked     DATETIME(6) NULL,
  PRIMARY KEY(origin, participant, number)
) ENGINE=InnoDB;

-- The private key with which the service signs for a participant, sealed with a
-- key that lies in the service's data directory.
CREATE TABLE IF NOT EXISTS tallyroot_managed_keys(
  origin      VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  participant VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  sealed      VARBINARY(1024) NOT NULL,
  PRIMARY KEY(origin, participant)
) ENGINE=InnoDB;
