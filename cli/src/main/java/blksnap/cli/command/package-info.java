/**
 * One class a command: it parses, asks the engine, prints. A command is made for one {@link
 * blksnap.cli.command.CommandContext}, which says where it runs, whom it asks and where it prints;
 * it knows no engine but the {@link blksnap.ctrl.CtrlHandler} it is given. What goes wrong is
 * thrown, and told in one place above. One thread.
 */
@NullMarked
package blksnap.cli.command;

import org.jspecify.annotations.NullMarked;
