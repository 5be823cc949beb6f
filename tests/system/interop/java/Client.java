import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.AdminClient;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What an application does with a Java client, in the part of the API that every release from 0.11 to 4 has: topics with either
 * kind of timestamps, every codec, headers, a group, transactions. Arguments: bootstrap, a prefix for names, codecs by commas.
 * Compiled and run with each release.
 */
public final class Client {
    private static final int RECORDS = 200;
    private static final int PARTITIONS = 2;
    private static final long TIMESTAMP = 1_600_000_000_000L;
    private static final long PATIENCE_MS = 60_000;

    private final String bootstrap;
    private final String prefix;
    private final String[] codecs;
    private final String created;
    private final String appended;

    private Client(String bootstrap, String prefix, String[] codecs) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
        this.codecs = codecs;
        this.created = prefix + "-created";
        this.appended = prefix + "-appended";
    }

    public static void main(String[] arguments) throws Exception {
        Client client = new Client(arguments[0], arguments[1], arguments[2].split(","));
        try (AdminClient admin = AdminClient.create(client.settings())) {
            client.createTopics(admin);
            for (String codec : client.codecs) {
                client.produce(codec);
            }
            client.transact();
            client.consume();
            check(admin.describeCluster().nodes().get().size() == 3, "not three brokers");
            Set<String> names = admin.listTopics().names().get();
            check(names.contains(client.created) && names.contains(client.appended), "topics: " + names);
            admin.deleteTopics(Arrays.asList(client.created, client.appended)).all().get();
        }
        System.out.println("ok " + client.expected() + " records");
        System.exit(0);
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }

    private Map<String, Object> settings() {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        return settings;
    }

    /** Records that read_committed shows: of every codec in either topic, and of the transaction that was committed. */
    private int expected() {
        return codecs.length * 2 * RECORDS + RECORDS;
    }

    private void createTopics(AdminClient admin) throws Exception {
        NewTopic second = new NewTopic(appended, PARTITIONS, (short) 3);
        second.configs(Collections.singletonMap("message.timestamp.type", "LogAppendTime"));
        // Old records are welcome.
        NewTopic first = new NewTopic(created, PARTITIONS, (short) 3);
        first.configs(Collections.singletonMap("retention.ms", "-1"));
        admin.createTopics(Arrays.asList(first, second)).all().get();
    }

    private KafkaProducer<String, String> producer(String codec, String transactionalId) {
        Map<String, Object> settings = settings();
        settings.put("acks", "all");
        settings.put("enable.idempotence", "true");
        settings.put("retries", 1000);
        settings.put("linger.ms", "20");
        settings.put("compression.type", codec);
        if (transactionalId != null) {
            settings.put("transactional.id", transactionalId);
        }
        return new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    }

    private void send(KafkaProducer<String, String> producer, String topic, String name) {
        for (int number = 0; number < RECORDS; number++) {
            ProducerRecord<String, String> record =
                    new ProducerRecord<>(topic, null, TIMESTAMP + number, "key " + number, name + " " + number);
            record.headers().add("name", name.getBytes(StandardCharsets.UTF_8));
            producer.send(record);
        }
        producer.flush();
    }

    private void produce(String codec) {
        try (KafkaProducer<String, String> producer = producer(codec, null)) {
            for (String topic : Arrays.asList(created, appended)) {
                send(producer, topic, codec);
                check(producer.partitionsFor(topic).size() == PARTITIONS, "partitions of " + topic);
            }
        }
    }

    /** One transaction that is committed, with an offset of another group, and one that is aborted. */
    private void transact() throws Exception {
        try (KafkaProducer<String, String> producer = producer("none", prefix + "-transactions");
                KafkaConsumer<String, String> other = consumer(prefix + "-other")) {
            producer.initTransactions();
            producer.beginTransaction();
            send(producer, created, "committed");
            TopicPartition partition = new TopicPartition(appended, 0);
            Map<TopicPartition, OffsetAndMetadata> offsets =
                    Collections.singletonMap(partition, new OffsetAndMetadata(7, "seven"));
            sendOffsets(producer, offsets, other);
            producer.commitTransaction();
            producer.beginTransaction();
            send(producer, created, "aborted");
            producer.abortTransaction();
            OffsetAndMetadata found = committed(other, partition);
            check(found != null && found.offset() == 7 && found.metadata().equals("seven"), "committed: " + found);
        }
    }

    private KafkaConsumer<String, String> consumer(String group) {
        Map<String, Object> settings = settings();
        settings.put("group.id", group);
        settings.put("isolation.level", "read_committed");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    private void consume() throws Exception {
        Map<TopicPartition, Long> ends = new HashMap<>();
        try (KafkaConsumer<String, String> consumer = consumer(prefix + "-group")) {
            consumer.subscribe(Arrays.asList(created, appended));
            Set<String> seen = new HashSet<>();
            long start = System.currentTimeMillis();
            while (seen.size() < expected()) {
                check(System.currentTimeMillis() - start < PATIENCE_MS, seen.size() + " of " + expected() + " records");
                for (ConsumerRecord<String, String> record : poll(consumer)) {
                    examine(record);
                    check(seen.add(record.topic() + record.value()), "twice: " + record);
                    ends.put(new TopicPartition(record.topic(), record.partition()), record.offset() + 1);
                }
            }
            consumer.commitSync();
            for (TopicPartition partition : ends.keySet()) {
                OffsetAndMetadata found = committed(consumer, partition);
                check(found != null && found.offset() >= ends.get(partition), partition + " is committed at " + found);
            }
            List<TopicPartition> partitions = new ArrayList<>(ends.keySet());
            Map<TopicPartition, Long> beginnings = consumer.beginningOffsets(partitions);
            check(beginnings.values().stream().allMatch(offset -> offset == 0), "beginnings: " + beginnings);
            TopicPartition first = new TopicPartition(created, 0);
            check(consumer.offsetsForTimes(Collections.singletonMap(first, TIMESTAMP)).get(first) != null, "no offset for a time");
        }
    }

    private void examine(ConsumerRecord<String, String> record) {
        String[] words = record.value().split(" ");
        check(!words[0].equals("aborted"), "aborted: " + record);
        check(record.key().equals("key " + words[1]), "key: " + record);
        String header = new String(record.headers().lastHeader("name").value(), StandardCharsets.UTF_8);
        check(header.equals(words[0]), "header: " + record);
        if (record.topic().equals(created)) {
            check(record.timestampType() == TimestampType.CREATE_TIME, "type of timestamp: " + record);
            check(record.timestamp() == TIMESTAMP + Integer.parseInt(words[1]), "timestamp: " + record);
        } else {
            check(record.timestampType() == TimestampType.LOG_APPEND_TIME, "type of timestamp: " + record);
            check(record.timestamp() > TIMESTAMP + RECORDS, "timestamp: " + record);
        }
    }

    // What was renamed or replaced between releases.

    @SuppressWarnings("unchecked")
    private static ConsumerRecords<String, String> poll(KafkaConsumer<String, String> consumer) throws Exception {
        try {
            Method poll = KafkaConsumer.class.getMethod("poll", Duration.class);
            return (ConsumerRecords<String, String>) poll.invoke(consumer, Duration.ofMillis(200));
        } catch (NoSuchMethodException error) {
            return (ConsumerRecords<String, String>) KafkaConsumer.class.getMethod("poll", long.class).invoke(consumer, 200L);
        }
    }

    private static OffsetAndMetadata committed(KafkaConsumer<String, String> consumer, TopicPartition partition)
            throws Exception {
        try {
            Method committed = KafkaConsumer.class.getMethod("committed", Set.class);
            Map<?, ?> found = (Map<?, ?>) committed.invoke(consumer, Collections.singleton(partition));
            return (OffsetAndMetadata) found.get(partition);
        } catch (NoSuchMethodException error) {
            Method committed = KafkaConsumer.class.getMethod("committed", TopicPartition.class);
            return (OffsetAndMetadata) committed.invoke(consumer, partition);
        }
    }

    private void sendOffsets(
            KafkaProducer<String, String> producer,
            Map<TopicPartition, OffsetAndMetadata> offsets,
            KafkaConsumer<String, String> consumer)
            throws Exception {
        try {
            Object metadata = KafkaConsumer.class.getMethod("groupMetadata").invoke(consumer);
            Class<?> type = Class.forName("org.apache.kafka.clients.consumer.ConsumerGroupMetadata");
            KafkaProducer.class
                    .getMethod("sendOffsetsToTransaction", Map.class, type)
                    .invoke(producer, offsets, metadata);
        } catch (NoSuchMethodException error) {
            KafkaProducer.class
                    .getMethod("sendOffsetsToTransaction", Map.class, String.class)
                    .invoke(producer, offsets, prefix + "-other");
        }
    }
}
