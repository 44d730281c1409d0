package blksnap.cli.command;

/** What stands for a value in help; completion knows by it what values there are. */
public final class Labels {
  /** The name of an attached device. */
  public static final String DEVICE = "DEVICE";

  /** The name or UUID of a snapshot. */
  public static final String SNAPSHOT = "SNAPSHOT";

  /** The name of a parameter. */
  public static final String PARAMETER = "NAME";

  /** A parameter's name, an equals sign and a value. */
  public static final String ASSIGNMENT = "NAME=VALUE";

  /** A path in the status tree. */
  public static final String NODE = "NODE";

  /** A file or block device of the machine. */
  public static final String PATH = "PATH";

  /** A directory of the machine. */
  public static final String DIRECTORY = "DIR";

  /** A file of the machine. */
  public static final String FILE = "FILE";

  public static final String FORMAT = "FORMAT";
  public static final String ALGORITHM = "ALGORITHM";
  public static final String WHEN = "WHEN";
  public static final String SECONDS = "SECONDS";
  public static final String COUNT = "COUNT";
  public static final String SIZE = "SIZE";
  public static final String VALUE = "VALUE";
  public static final String RANGE = "SECTOR:COUNT";

  private Labels() {}
}
