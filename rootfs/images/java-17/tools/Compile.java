import com.sun.source.util.JavacTask;
import com.sun.source.util.TaskEvent;
import com.sun.source.util.TaskListener;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.lang.model.element.ExecutableElement;
import javax.lang.model.element.Modifier;
import javax.lang.model.element.TypeElement;
import javax.lang.model.type.TypeKind;
import javax.lang.model.util.ElementFilter;
import javax.tools.ForwardingJavaFileObject;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/**
 * javac for code that comes as one file, with others beside it or without.
 *
 * <p>usage: Compile run|test OUT SOURCE… | Compile check|lint SOURCE…; words behind a -- are somebody else's
 *
 * <p>More than javac does: a directory stands for all sources below it; the first source may declare a public class of
 * any name, as {@code java FILE} allows; what is not among the sources is looked for below the directory that is the
 * root of the first one's package. {@code run} writes to OUT/.main, an argument file for java, which class has the
 * {@code main}. {@code check} and {@code lint} keep nothing.
 */
public final class Compile {
  private static final Pattern PACKAGE = Pattern.compile("^\\s*package\\s+([\\w.]+)\\s*;", Pattern.MULTILINE);

  public static void main(String[] arguments) throws IOException {
    String mode = arguments[0];
    boolean keeps = mode.equals("run") || mode.equals("test");
    Path out = keeps ? Path.of(arguments[1]) : Files.createTempDirectory("classes");
    Set<Path> sources = new LinkedHashSet<>();
    for (int i = keeps ? 2 : 1; i < arguments.length && !arguments[i].equals("--"); i++) {
      add(Path.of(arguments[i]).normalize(), sources);
    }
    boolean done = !sources.isEmpty() && compile(mode, List.copyOf(sources), out);
    if (sources.isEmpty()) System.err.println("error: no Java source");
    System.exit(done ? 0 : 1);
  }

  private static void add(Path path, Set<Path> sources) throws IOException {
    if (!Files.isDirectory(path)) {
      sources.add(path);
      return;
    }
    try (Stream<Path> below = Files.walk(path)) {
      below.filter(file -> file.toString().endsWith(".java") && Files.isRegularFile(file))
          .sorted()
          .forEach(sources::add);
    }
  }

  private static boolean compile(String mode, List<Path> sources, Path out) throws IOException {
    List<String> options = new ArrayList<>(List.of("-g", "-proc:none", "-encoding", "UTF-8", "-d", out.toString()));
    options.addAll(List.of("-sourcepath", rootOf(sources.get(0)) + File.pathSeparator + "."));
    if (mode.equals("lint")) options.addAll(List.of("-Xlint:all", "-Werror"));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
      List<JavaFileObject> units = new ArrayList<>();
      files.getJavaFileObjectsFromPaths(sources).forEach(units::add);
      units.set(0, new AnyName(units.get(0)));
      JavacTask task = (JavacTask) compiler.getTask(null, files, null, options, null, units);
      if (!mode.equals("run")) return task.call();
      MainFinder finder = new MainFinder(task);
      task.addTaskListener(finder);
      return task.call() && finder.write(sources.get(0), out);
    }
  }

  /** The directory that the package of a source begins in, as far as its path goes along. */
  private static Path rootOf(Path source) throws IOException {
    Path root = source.toAbsolutePath().getParent();
    Matcher match = PACKAGE.matcher(Files.isRegularFile(source) ? Files.readString(source) : "");
    if (!match.find()) return root;
    Path folders = Path.of(match.group(1).replace('.', '/'));
    return root.endsWith(folders) ? root.resolve("../".repeat(folders.getNameCount())).normalize() : root;
  }

  /** A source whose public class need not be called as the file is. */
  private static final class AnyName extends ForwardingJavaFileObject<JavaFileObject> {
    AnyName(JavaFileObject file) {
      super(file);
    }

    @Override
    public boolean isNameCompatible(String simpleName, Kind kind) {
      return kind == Kind.SOURCE;
    }
  }

  /** Notes each class that java could start, in the order of the sources. */
  private static final class MainFinder implements TaskListener {
    private record Found(String name, String simpleName, boolean isPublic, boolean inFirst) {}

    private final JavacTask task;
    private final List<Found> found = new ArrayList<>();

    MainFinder(JavacTask task) {
      this.task = task;
    }

    @Override
    public void finished(TaskEvent event) {
      TypeElement type = event.getTypeElement();
      if (event.getKind() != TaskEvent.Kind.ANALYZE || type == null) return;
      if (ElementFilter.methodsIn(task.getElements().getAllMembers(type)).stream().noneMatch(this::isMain)) return;
      found.add(new Found(task.getElements().getBinaryName(type).toString(), type.getSimpleName().toString(),
          type.getModifiers().contains(Modifier.PUBLIC), event.getSourceFile() instanceof AnyName));
    }

    private boolean isMain(ExecutableElement method) {
      return method.getSimpleName().contentEquals("main")
          && method.getModifiers().containsAll(Set.of(Modifier.PUBLIC, Modifier.STATIC))
          && method.getReturnType().getKind() == TypeKind.VOID
          && method.getParameters().size() == 1
          && method.getParameters().get(0).asType().toString().equals("java.lang.String[]");
    }

    /** The class called as the first source, else its public one, else the first. */
    boolean write(Path first, Path out) throws IOException {
      String stem = first.getFileName().toString().replaceFirst("\\.java$", "");
      List<Predicate<Found>> wishes =
          List.of(it -> it.inFirst && it.simpleName.equals(stem), it -> it.inFirst && it.isPublic, it -> it.inFirst, it -> true);
      for (Predicate<Found> wish : wishes) {
        for (Found it : found) {
          if (!wish.test(it)) continue;
          Files.writeString(out.resolve(".main"), it.name + "\n");
          return true;
        }
      }
      System.err.println("error: no class has a method 'public static void main(String[])'");
      return false;
    }
  }
}
