import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of Apache Kafka's tools one after another in one JVM, because starting one for each would take the
 * test most of its time. A command is two lines of stdin: the class and the arguments, separated by the unit separator; and
 * what the tool reads on its stdin, lines separated by the record separator. Its answer on stdout is: exit code, length of its
 * stdout, its stdout, length of its stderr, its stderr (numbers of 4 bytes).
 */
public class ToolServer {
    /** Thrown where a tool would end the JVM. A tool may catch it and go on: what it says then does not count. */
    private static class Exited extends RuntimeException {
        Exited() {
            super(null, null, false, false);
        }
    }

    /** Stays the same for all tools: Scala's Console keeps the stream it saw first. */
    private static final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private static final ByteArrayOutputStream err = new ByteArrayOutputStream();
    /** What was said until the tool ended, with the code it ended with; null while it runs. */
    private static Integer exitCode;
    private static byte[][] said;

    /** What the tool wants done when the JVM ends, which is when the tool does. */
    private static final List<Thread> hooks = new CopyOnWriteArrayList<>();

    private static void exit(int code) {
        if (exitCode == null) {
            for (Thread hook : hooks) {
                hook.start();
            }
            for (Thread hook : hooks) {
                try {
                    hook.join(10_000);
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
            hooks.clear();
            System.out.flush();
            System.err.flush();
            exitCode = code;
            said = new byte[][] {out.toByteArray(), err.toByteArray()};
        }
    }

    public static void main(String[] ignored) throws IOException {
        DataOutputStream answers = new DataOutputStream(new FileOutputStream(FileDescriptor.out));
        System.setOut(new PrintStream(out, true, "UTF-8"));
        System.setErr(new PrintStream(err, true, "UTF-8"));
        Exit.setExitProcedure((code, message) -> { exit(code); throw new Exited(); });
        Exit.setHaltProcedure((code, message) -> { exit(code); throw new Exited(); });
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(new Thread(hook, name)));
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String line;
        while ((line = commands.readLine()) != null) {
            String[] words = line.split("\u001f", -1);
            String input = commands.readLine().replace('\u001e', '\n');
            System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
            out.reset();
            err.reset();
            exitCode = null;
            exit(run(words[0], Arrays.copyOfRange(words, 1, words.length)));
            answers.writeInt(exitCode);
            for (byte[] bytes : said) {
                answers.writeInt(bytes.length);
                answers.write(bytes);
            }
            answers.flush();
        }
    }

    /** A tool that counts in a static field starts anew. */
    private static void forget(Class<?> main) throws IllegalAccessException {
        for (Field field : main.getDeclaredFields()) {
            int kind = field.getModifiers();
            if (Modifier.isStatic(kind) && !Modifier.isFinal(kind) && field.getType() == int.class) {
                field.setAccessible(true);
                field.setInt(null, 0);
            }
        }
    }

    private static int run(String tool, String[] arguments) {
        try {
            Class<?> main = Class.forName(tool);
            forget(main);
            main.getMethod("main", String[].class).invoke(null, (Object) arguments);
            return 0;
        } catch (InvocationTargetException thrown) {
            if (thrown.getCause() instanceof Exited) {
                return 0;
            }
            System.err.print("Exception in thread \"main\" ");
            thrown.getCause().printStackTrace();
            return 1;
        } catch (ReflectiveOperationException error) {
            error.printStackTrace();
            return 1;
        }
    }
}
