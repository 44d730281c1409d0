package blksnap.flight;

/** How little room there is. */
public enum SpaceLevel {
  LOW("low"),
  SOON("full soon"),
  FULL("full");

  private final String word;

  SpaceLevel(String word) {
    this.word = word;
  }

  String word() {
    return word;
  }
}
