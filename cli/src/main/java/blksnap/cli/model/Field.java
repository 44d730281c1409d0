package blksnap.cli.model;

import picocli.CommandLine.Model.IGetter;
import picocli.CommandLine.Model.ISetter;

/**
 * One field of a command, as picocli reads and sets it.
 *
 * @param owner the command or mixin that has it
 */
public record Field(ModelSource source, int number, Object owner) implements IGetter, ISetter {
  @Override
  @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // picocli wants it so
  public <T> T get() {
    return (T) source.get(number, owner);
  }

  @Override
  public <T> T set(T value) {
    T before = get();
    source.set(number, owner, value);
    return before;
  }
}
