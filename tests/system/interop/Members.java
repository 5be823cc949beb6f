import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.time.Duration;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Members of one consumer group with the consumer protocol, polled by one thread: they join, one of them leaves, and the
 * program says how long it took until the group was steady again. Arguments: bootstrap, group, topic, members.
 *
 * Steady means that the members own every partition once, as they see it themselves, and that the coordinator describes the
 * group as stable with every member at its target.
 */
public final class Members {
    private static final long PATIENCE_MS = 120_000;
    private static final long LOOK_INTERVAL_MS = 100;

    private final String bootstrap;
    private final String group;
    private final String topic;
    private final List<KafkaConsumer<byte[], byte[]>> consumers = new ArrayList<>();
    private final Admin admin;

    private Members(String bootstrap, String group, String topic) {
        this.bootstrap = bootstrap;
        this.group = group;
        this.topic = topic;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] arguments) throws Exception {
        Members members = new Members(arguments[0], arguments[1], arguments[2]);
        int count = Integer.parseInt(arguments[3]);
        long start = System.nanoTime();
        for (int number = 0; number < count; number++) {
            members.join(number);
        }
        members.settle();
        System.out.println("joined " + count + " in " + since(start) + " ms");

        start = System.nanoTime();
        members.consumers.remove(count / 2).close();
        long closed = since(start);
        members.settle();
        System.out.println("steady " + since(start) + " ms after one began to leave, which took it " + closed + " ms");
        System.exit(0);
    }

    private static long since(long start) {
        return (System.nanoTime() - start) / 1_000_000;
    }

    private void join(int number) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", group);
        settings.put("group.protocol", "consumer");
        settings.put("client.id", "member-" + number);
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        settings.put("key.deserializer", ByteArrayDeserializer.class);
        settings.put("value.deserializer", ByteArrayDeserializer.class);
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings);
        consumer.subscribe(List.of(topic));
        consumers.add(consumer);
        poll();
    }

    private void poll() {
        for (KafkaConsumer<byte[], byte[]> consumer : consumers) {
            consumer.poll(Duration.ZERO);
        }
    }

    /** Polls until the group is steady. */
    private void settle() throws Exception {
        int partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
        long start = System.nanoTime();
        long looked = 0;
        while (true) {
            poll();
            if (ownEverythingOnce(partitions) && since(looked) > LOOK_INTERVAL_MS) {
                if (isStable()) {
                    return;
                }
                looked = System.nanoTime();
            }
            if (since(start) > PATIENCE_MS) {
                throw new IllegalStateException("not steady: " + admin.describeConsumerGroups(List.of(group)).all().get());
            }
            Thread.sleep(5);
        }
    }

    private boolean ownEverythingOnce(int partitions) {
        Set<TopicPartition> owned = new HashSet<>();
        int count = 0;
        for (KafkaConsumer<byte[], byte[]> consumer : consumers) {
            Set<TopicPartition> assignment = consumer.assignment();
            owned.addAll(assignment);
            count += assignment.size();
        }
        return count == partitions && owned.size() == partitions;
    }

    private boolean isStable() throws Exception {
        ConsumerGroupDescription described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        if (described.groupState() != GroupState.STABLE || described.members().size() != consumers.size()) {
            return false;
        }
        for (MemberDescription member : described.members()) {
            if (!member.targetAssignment().get().equals(member.assignment())) {
                return false;
            }
        }
        return true;
    }
}
