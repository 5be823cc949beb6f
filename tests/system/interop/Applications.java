import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Java applications that work while brokers come and go: an idempotent producer with acks=all, whose records are numbered, and a
 * group of two consumers. Arguments: bootstrap, topic, group, and a file; when that file appears they stop, after the
 * consumers have read whatever was acknowledged. Everything but the security of the connection is the client's default.
 */
public final class Applications {
    private static final int PARTITIONS = 3;
    private static final int RECORDS_PER_TICK = 4;
    private static final long TICK_MS = 20;
    private static final long PATIENCE_MS = 60_000;

    private static final AtomicInteger acknowledged = new AtomicInteger();
    private static final AtomicReference<Exception> failure = new AtomicReference<>();
    private static final BitSet read = new BitSet();
    private static volatile boolean finished;

    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[0];
        String topic = arguments[1];
        File stop = new File(arguments[3]);
        List<Thread> consumers = new ArrayList<>();
        for (int number = 0; number < 2; number++) {
            Thread consumer = new Thread(() -> guarded(() -> consume(bootstrap, topic, arguments[2])));
            consumer.start();
            consumers.add(consumer);
        }
        guarded(() -> produce(bootstrap, topic, stop));
        long start = System.currentTimeMillis();
        while (countRead() < acknowledged.get() && failure.get() == null) {
            if (System.currentTimeMillis() - start > PATIENCE_MS) {
                failure.set(new IllegalStateException(countRead() + " of " + acknowledged + " records were read"));
            }
            Thread.sleep(TICK_MS);
        }
        finished = true;
        for (Thread consumer : consumers) {
            consumer.join();
        }
        if (failure.get() != null) {
            System.out.println("failed: " + failure.get());
            failure.get().printStackTrace();
            System.exit(1);
        }
        System.out.println("acknowledged " + acknowledged);
        System.exit(0);
    }

    private interface Work {
        void run() throws Exception;
    }

    private static void guarded(Work work) {
        try {
            work.run();
        } catch (Exception error) {
            failure.compareAndSet(null, error);
            System.out.println("failed: " + error);
        }
    }

    private static int countRead() {
        synchronized (read) {
            return read.cardinality();
        }
    }

    private static void produce(String bootstrap, String topic, File stop) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            int number = 0;
            for (int tick = 0; !stop.exists() && failure.get() == null; tick++) {
                for (int record = 0; record < RECORDS_PER_TICK; record++) {
                    // Every partition gets its share, whatever the partitioner thinks of their leaders.
                    int partition = number % PARTITIONS;
                    String value = "java-" + number++;
                    producer.send(new ProducerRecord<>(topic, partition, null, value), (metadata, error) -> {
                        if (error == null) {
                            acknowledged.incrementAndGet();
                        } else {
                            failure.compareAndSet(null, error);
                        }
                    });
                }
                if (tick % 25 == 0) {
                    System.out.println("progress " + acknowledged + " " + countRead());
                }
                Thread.sleep(TICK_MS);
            }
            producer.flush();
        }
    }

    private static void consume(String bootstrap, String topic, String group) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(topic));
            while (!finished && failure.get() == null) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    synchronized (read) {
                        read.set(Integer.parseInt(record.value().substring("java-".length())));
                    }
                }
            }
        }
    }
}
