/**
 * The commands for backups. {@link blksnap.cli.backup.BackupCommand} asks the engine for a snapshot
 * and what has changed, and leaves the rest to {@code blksnap.backup}; the others need no engine.
 */
@NullMarked
package blksnap.cli.backup;

import org.jspecify.annotations.NullMarked;
