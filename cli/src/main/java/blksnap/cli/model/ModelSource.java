package blksnap.cli.model;

import picocli.CommandLine.Model.CommandSpec;

/** The models of one package's commands; implemented by what the build writes. */
public interface ModelSource {
  /**
   * The model of this object, whose values it sets.
   *
   * @throws IllegalArgumentException when its class was not there when the models were written
   */
  CommandSpec of(Object command);

  /** The value of a field, which has a number. */
  Object get(int field, Object owner);

  void set(int field, Object owner, Object value);
}
