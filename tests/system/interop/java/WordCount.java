import java.io.File;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Produced;

/**
 * Kafka Streams as in its tutorial, exactly once (v2): words of lines are counted, while lines are still sent and a broker is
 * killed. Arguments: bootstrap, input topic, output topic, a directory for state. Prints "progress N" as results come, and at the
 * end every word's count.
 */
public final class WordCount {
    private static final int LINES = 2_000;
    private static final String[] WORDS = {"to", "be", "or", "not"};
    private static final long PATIENCE_MS = 120_000;

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        String input = arguments[1];
        String output = arguments[2];
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("application.id", "word-count");
        settings.put("processing.guarantee", "exactly_once_v2");
        settings.put("replication.factor", "3");
        settings.put("state.dir", new File(arguments[3]).getPath());
        settings.put("commit.interval.ms", "100");
        settings.put("default.key.serde", Serdes.StringSerde.class);
        settings.put("default.value.serde", Serdes.StringSerde.class);
        StreamsBuilder builder = new StreamsBuilder();
        builder.<String, String>stream(input)
                .flatMapValues(line -> Arrays.asList(line.split(" ")))
                .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
                .count()
                .toStream()
                .to(output, Produced.with(Serdes.String(), Serdes.Long()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(error -> {
            System.out.println("a thread is replaced: " + error);
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.start();
        Thread sender = new Thread(() -> send(bootstrap, input));
        sender.start();
        Map<String, Long> counts = read(bootstrap, output);
        sender.join();
        streams.close(Duration.ofSeconds(30));
        System.out.println("counts " + counts);
        System.exit(0);
    }

    private static void send(String bootstrap, String topic) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (int line = 0; line < LINES; line++) {
                producer.send(new ProducerRecord<>(topic, "line " + line, String.join(" ", WORDS)), (metadata, error) -> {
                    if (error != null) {
                        System.out.println("failed: " + error);
                    }
                });
                Thread.sleep(5);
            }
        } catch (InterruptedException error) {
            System.out.println("failed: " + error);
        }
    }

    /** Reads results until every word was counted in every line; a count that goes back, or too far, is a failure. */
    private static Map<String, Long> read(String bootstrap, String topic) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", "count-readers");
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        Map<String, Long> counts = new TreeMap<>();
        try (KafkaConsumer<String, Long> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new LongDeserializer())) {
            consumer.subscribe(Collections.singletonList(topic));
            long start = System.currentTimeMillis();
            long told = 0;
            while (counts.size() < WORDS.length || counts.values().stream().anyMatch(count -> count < LINES)) {
                if (System.currentTimeMillis() - start > PATIENCE_MS) {
                    System.out.println("failed: only " + counts);
                    System.exit(1);
                }
                for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(100))) {
                    Long before = counts.put(record.key(), record.value());
                    if ((before != null && before >= record.value()) || record.value() > LINES) {
                        System.out.println("failed: " + record.key() + " went from " + before + " to " + record.value());
                        System.exit(1);
                    }
                }
                long progress = counts.values().stream().mapToLong(Long::longValue).sum();
                if (progress > told + 100) {
                    told = progress;
                    System.out.println("progress " + progress);
                }
            }
        }
        return counts;
    }
}
