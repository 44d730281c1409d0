package blksnap.ctrl;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The methods of the control protocol, each with the request it is. Told apart by these and not by
 * a switch over types: Java links such a switch anew in every process, which takes longer than most
 * requests.
 */
enum CtrlMethod {
  VERSION("version", CtrlRequest.Version.class),
  MODINFO("modinfo", CtrlRequest.ModInfo.class),
  UNLOAD("unload", CtrlRequest.Unload.class),
  PARAM_LIST("param.list", CtrlRequest.ParamList.class),
  PARAM_GET("param.get", CtrlRequest.ParamGet.class),
  PARAM_SET("param.set", CtrlRequest.ParamSet.class),
  ATTACH("attach", CtrlRequest.Attach.class),
  DETACH("detach", CtrlRequest.Detach.class),
  RESIZE("resize", CtrlRequest.Resize.class),
  DEVICES("devices", CtrlRequest.Devices.class),
  CBT_INFO("cbt.info", CtrlRequest.CbtInfo.class),
  CBT_MAP("cbt.map", CtrlRequest.CbtMap.class),
  CBT_RAW("cbt.raw", CtrlRequest.CbtRaw.class),
  CBT_MARK("cbt.mark", CtrlRequest.CbtMark.class),
  SNAPSHOT_CREATE("snapshot.create", CtrlRequest.SnapshotCreate.class),
  SNAPSHOT_ADD("snapshot.add", CtrlRequest.SnapshotAdd.class),
  SNAPSHOT_APPEND_STORAGE("snapshot.append_storage", CtrlRequest.SnapshotAppendStorage.class),
  SNAPSHOT_TAKE("snapshot.take", CtrlRequest.SnapshotTake.class),
  SNAPSHOT_LIST("snapshot.list", CtrlRequest.SnapshotList.class),
  SNAPSHOT_INFO("snapshot.info", CtrlRequest.SnapshotInfo.class),
  SNAPSHOT_IMAGES("snapshot.images", CtrlRequest.SnapshotImages.class),
  SNAPSHOT_WAIT("snapshot.wait", CtrlRequest.SnapshotWait.class),
  SNAPSHOT_DESTROY("snapshot.destroy", CtrlRequest.SnapshotDestroy.class),
  STATUS("status", CtrlRequest.Status.class),
  CAT("cat", CtrlRequest.Cat.class),
  ECHO("echo", CtrlRequest.Echo.class),
  DMESG("dmesg", CtrlRequest.Dmesg.class);

  /** As {@code method} names them. */
  static final List<String> WORDS = Arrays.stream(values()).map(CtrlMethod::word).toList();

  private static final Map<Class<?>, CtrlMethod> BY_TYPE = by(method -> method.type);
  private static final Map<String, CtrlMethod> BY_WORD = by(CtrlMethod::word);

  private final String word;
  private final Class<? extends CtrlRequest> type;

  CtrlMethod(String word, Class<? extends CtrlRequest> type) {
    this.word = word;
    this.type = type;
  }

  private static <K> Map<K, CtrlMethod> by(Function<CtrlMethod, K> key) {
    return Arrays.stream(values()).collect(Collectors.toUnmodifiableMap(key, Function.identity()));
  }

  String word() {
    return word;
  }

  static CtrlMethod of(CtrlRequest request) {
    CtrlMethod method = BY_TYPE.get(request.getClass());
    if (method == null) {
      throw new IllegalArgumentException("no method is " + request);
    }
    return method;
  }

  /**
   * @throws IllegalArgumentException not one of {@link #WORDS}
   */
  static CtrlMethod of(String word) {
    CtrlMethod method = BY_WORD.get(word);
    if (method == null) {
      throw new IllegalArgumentException("unknown method " + word);
    }
    return method;
  }
}
