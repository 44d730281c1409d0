package blksnap.param;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** The live values of the {@link Parameter}s of one engine. Safe from many threads. */
public final class Parameters {
  private final Map<Parameter, AtomicLong> values = new EnumMap<>(Parameter.class);

  /** All defaults. */
  public Parameters() {
    for (Parameter parameter : Parameter.values()) {
      values.put(parameter, new AtomicLong(parameter.defaultValue()));
    }
  }

  public long get(Parameter parameter) {
    return cell(parameter).get();
  }

  /** The value of a parameter whose maximum fits an int. */
  public int getInt(Parameter parameter) {
    return Math.toIntExact(get(parameter));
  }

  /** Sets a value that {@link Parameter#parse} has judged. */
  public void set(Parameter parameter, long value) {
    if (value < parameter.minimum() || value > parameter.maximum()) {
      throw new IllegalArgumentException(parameter.key() + "=" + value + " was not judged");
    }
    cell(parameter).set(value);
  }

  private AtomicLong cell(Parameter parameter) {
    AtomicLong cell = values.get(parameter);
    if (cell == null) {
      throw new AssertionError(parameter); // the constructor filled every one
    }
    return cell;
  }
}
