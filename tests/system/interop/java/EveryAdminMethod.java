import java.lang.reflect.Method;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Calls every method of Kafka's Admin on a cluster of the brokers 0 and 1, and prints a line for each call: its name, and what
 * came back in an order that does not change, or the class and message of what was thrown. A method that this program does not
 * call ends it with an error. Compiles with the clients of 3.9 and of 4.x; what only some have is called by reflection.
 * Argument: bootstrap.
 */
public final class EveryAdminMethod {
    private static final String TOPIC = "asked-about";
    private static final TopicPartition PARTITION = new TopicPartition(TOPIC, 0);
    private static final ConfigResource TOPIC_RESOURCE = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
    /** What asks no broker. */
    private static final Set<String> LOCAL = Set.of("create", "close", "metrics", "registerMetricForSubscription",
        "unregisterMetricFromSubscription");

    private final Admin admin;
    private final Set<String> called = new TreeSet<>();

    private EveryAdminMethod(Admin admin) {
        this.admin = admin;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", arguments[0], "default.api.timeout.ms", 15000,
            "request.timeout.ms", 10000);
        try (Admin admin = Admin.create(settings)) {
            EveryAdminMethod program = new EveryAdminMethod(admin);
            program.topics();
            program.configs();
            program.replicas();
            produce(arguments[0]);
            program.records();
            program.groups();
            program.transactions();
            program.clients();
            program.security();
            program.cluster();
            program.newer();
            program.call("deleteTopics", () -> admin.deleteTopics(List.of(TOPIC)).all());
            program.call("deleteTopics", () -> admin.deleteTopics(List.of("missing")).all());
            Set<String> missed = new TreeSet<>();
            for (Method method : Admin.class.getMethods()) {
                if (!program.called.contains(method.getName()) && !LOCAL.contains(method.getName())) {
                    missed.add(method.getName());
                }
            }
            if (!missed.isEmpty()) {
                System.err.println("not called: " + missed);
                System.exit(1);
            }
        }
    }

    private void call(String name, Callable<Object> call) {
        called.add(name);
        String said;
        try {
            said = text(call.call());
        } catch (Throwable thrown) {
            Throwable cause = thrown;
            while (cause.getCause() != null && (cause instanceof ExecutionException
                    || cause instanceof java.lang.reflect.InvocationTargetException)) {
                cause = cause.getCause();
            }
            said = cause.getClass().getSimpleName() + ": " + cause.getMessage();
        }
        System.out.println(name + ": " + said.replace('\n', ' '));
    }

    /** Waits for futures, and writes what they hold in an order of its own. */
    private static String text(Object value) throws Exception {
        if (value instanceof KafkaFuture) {
            return text(((KafkaFuture<?>) value).get());
        } else if (value instanceof Map) {
            Map<String, String> sorted = new TreeMap<>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                sorted.put(text(entry.getKey()), text(entry.getValue()));
            }
            return sorted.toString();
        } else if (value instanceof Collection) {
            Set<String> sorted = new TreeSet<>();
            for (Object one : (Collection<?>) value) {
                sorted.add(text(one));
            }
            return sorted.toString();
        }
        return String.valueOf(value);
    }

    /** Each future's value, or what it threw. */
    private static Map<String, String> outcomes(Map<?, ? extends KafkaFuture<?>> futures) throws Exception {
        Map<String, String> outcomes = new TreeMap<>();
        for (Map.Entry<?, ? extends KafkaFuture<?>> entry : futures.entrySet()) {
            String outcome;
            try {
                outcome = text(entry.getValue());
            } catch (ExecutionException error) {
                outcome = error.getCause().getClass().getSimpleName() + ": " + error.getCause().getMessage();
            }
            outcomes.put(text(entry.getKey()), outcome);
        }
        return outcomes;
    }

    private void topics() throws Exception {
        NewTopic topic = new NewTopic(TOPIC, Map.of(0, List.of(0, 1), 1, List.of(1, 0)));
        call("createTopics", () -> {
            var created = admin.createTopics(List.of(topic.configs(Map.of("retention.ms", "3600000"))));
            return List.of("partitions " + created.numPartitions(TOPIC).get(), "replicas " + created.replicationFactor(TOPIC).get(),
                created.config(TOPIC).get().entries().stream().map(ConfigEntry::name).sorted().collect(Collectors.toList()));
        });
        call("createTopics", () -> outcomes(admin.createTopics(List.of(topic,
            new NewTopic("too/odd", 1, (short) 1), new NewTopic("too-many", 1, (short) 9))).values()));
        call("listTopics", () -> admin.listTopics().names());
        call("describeTopics", () -> {
            var described = admin.describeTopics(List.of(TOPIC)).allTopicNames().get().get(TOPIC);
            return described.name() + described.isInternal() + described.authorizedOperations() + described.partitions().stream()
                .map(one -> one.partition() + ids(one.replicas()) + ids(one.isr()) + one.leader().id()).collect(Collectors.toList());
        });
        call("describeTopics", () -> outcomes(admin.describeTopics(List.of("missing")).topicNameValues()));
        call("createPartitions", () -> admin.createPartitions(
            Map.of(TOPIC, NewPartitions.increaseTo(3, List.of(List.of(0, 1))))).all());
        call("createPartitions", () -> admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(2))).all());
    }

    private static String ids(Collection<Node> nodes) {
        return nodes.stream().map(Node::id).collect(Collectors.toList()).toString();
    }

    private void configs() throws Exception {
        call("incrementalAlterConfigs", () -> admin.incrementalAlterConfigs(Map.of(TOPIC_RESOURCE,
            List.of(new AlterConfigOp(new ConfigEntry("segment.bytes", "1048576"), AlterConfigOp.OpType.SET),
                new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND)))).all());
        call("incrementalAlterConfigs", () -> admin.incrementalAlterConfigs(Map.of(TOPIC_RESOURCE,
            List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET)))).all());
        // Not in 4.x.
        reflect("alterConfigs", Map.of(TOPIC_RESOURCE, new Config(List.of(new ConfigEntry("retention.ms", "7200000")))));
        call("describeConfigs", () -> {
            Config config = admin.describeConfigs(List.of(TOPIC_RESOURCE)).all().get().get(TOPIC_RESOURCE);
            return config.entries().stream().map(one -> one.name() + "=" + one.value() + one.source()).collect(Collectors.toList());
        });
        call("describeConfigs", () -> admin.describeConfigs(
            List.of(new ConfigResource(ConfigResource.Type.TOPIC, "missing"))).all());
        call("describeConfigs", () -> admin.describeConfigs(
            List.of(new ConfigResource(ConfigResource.Type.BROKER, "0"))).all().get().values().iterator().next().entries()
            .stream().map(one -> one.name() + one.source() + one.isReadOnly() + one.isSensitive()).collect(Collectors.toList()));
        call("listClientMetricsResources", () -> admin.listClientMetricsResources().all());
    }

    private void replicas() throws Exception {
        call("alterPartitionReassignments", () -> outcomes(admin.alterPartitionReassignments(Map.of(
            PARTITION, Optional.of(new NewPartitionReassignment(List.of(1, 0))),
            new TopicPartition(TOPIC, 1), Optional.of(new NewPartitionReassignment(List.of(0, 9))),
            new TopicPartition(TOPIC, 2), Optional.empty())).values()));
        for (int tries = 0; tries < 300 && !admin.listPartitionReassignments().reassignments().get().isEmpty(); tries++) {
            Thread.sleep(100);
        }
        call("listPartitionReassignments", () -> admin.listPartitionReassignments().reassignments());
        call("electLeaders", () -> admin.electLeaders(ElectionType.PREFERRED, Set.of(PARTITION)).partitions().get()
            .entrySet().stream().map(one -> one.getKey() + " elected or needless").collect(Collectors.toList()));
        call("electLeaders", () -> admin.electLeaders(ElectionType.UNCLEAN,
            Set.of(new TopicPartition("missing", 0))).partitions());
        call("describeLogDirs", () -> admin.describeLogDirs(List.of(0, 1)).allDescriptions().get().entrySet().stream()
            .map(one -> one.getKey() + " " + one.getValue().values().stream().map(dir -> dir.replicaInfos().keySet().stream()
                .filter(partition -> partition.topic().equals(TOPIC)).map(Object::toString).sorted()
                .collect(Collectors.toList())).collect(Collectors.toList())).collect(Collectors.toList()));
        TopicPartitionReplica replica = new TopicPartitionReplica(TOPIC, 0, 0);
        call("describeReplicaLogDirs", () -> admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica)
            .getCurrentReplicaLogDir().endsWith("data"));
        call("alterReplicaLogDirs", () -> admin.alterReplicaLogDirs(Map.of(replica, "/nowhere")).all());
    }

    private static void produce(String bootstrap) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("transactional.id", "asked");
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            for (int at = 0; at < 5; at++) {
                producer.send(new ProducerRecord<>(TOPIC, 0, 1000L + at, "key " + at, "value " + at));
            }
            producer.commitTransaction();
        }
    }

    private void records() throws Exception {
        // The marker of the commit comes behind the five records a little later.
        for (int tries = 0; tries < 300 && admin.listOffsets(Map.of(PARTITION, OffsetSpec.latest()))
                .partitionResult(PARTITION).get().offset() < 6; tries++) {
            Thread.sleep(100);
        }
        for (OffsetSpec spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp(),
                OffsetSpec.forTimestamp(1002))) {
            call("listOffsets", () -> {
                var found = admin.listOffsets(Map.of(PARTITION, spec)).partitionResult(PARTITION).get();
                return found.offset() + " " + found.timestamp();
            });
        }
        call("deleteRecords", () -> admin.deleteRecords(Map.of(PARTITION, RecordsToDelete.beforeOffset(2)))
            .lowWatermarks().get(PARTITION).get().lowWatermark());
        call("deleteRecords", () -> admin.deleteRecords(Map.of(PARTITION, RecordsToDelete.beforeOffset(200))).all());
    }

    private void groups() throws Exception {
        String group = "asked-group";
        call("alterConsumerGroupOffsets", () -> admin.alterConsumerGroupOffsets(group,
            Map.of(PARTITION, new OffsetAndMetadata(3, "three"))).all());
        call("listConsumerGroups", () -> admin.listConsumerGroups().all().get().stream()
            .map(one -> one.groupId() + one.isSimpleConsumerGroup() + one.state()).collect(Collectors.toList()));
        call("describeConsumerGroups", () -> {
            var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            return described.groupId() + described.state() + described.members() + described.partitionAssignor();
        });
        call("listConsumerGroupOffsets", () -> admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
        call("deleteConsumerGroupOffsets", () -> admin.deleteConsumerGroupOffsets(group, Set.of(PARTITION)).all());
        call("removeMembersFromConsumerGroup", () -> admin.removeMembersFromConsumerGroup(group,
            new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("nobody")))).all());
        call("deleteConsumerGroups", () -> outcomes(admin.deleteConsumerGroups(List.of(group, "missing")).deletedGroups()));
    }

    private void transactions() throws Exception {
        call("listTransactions", () -> admin.listTransactions().all().get().stream()
            .map(one -> one.transactionalId() + one.state()).collect(Collectors.toList()));
        call("describeTransactions", () -> {
            var described = admin.describeTransactions(List.of("asked")).all().get().get("asked");
            return described.state() + " " + described.producerEpoch() + described.transactionTimeoutMs()
                + described.transactionStartTimeMs().equals(OptionalLong.empty()) + described.topicPartitions();
        });
        call("describeProducers", () -> admin.describeProducers(List.of(PARTITION)).all().get().get(PARTITION).activeProducers()
            .stream().map(one -> one.producerEpoch() + " " + one.lastSequence() + " " + one.currentTransactionStartOffset())
            .collect(Collectors.toList()));
        call("abortTransaction", () -> admin.abortTransaction(new AbortTransactionSpec(PARTITION, 4711, (short) 0, 0)).all());
        call("fenceProducers", () -> admin.fenceProducers(List.of("asked")).all());
        // Not in 3.9.
        reflect("forceTerminateTransaction", "asked");
    }

    private void clients() throws Exception {
        var entity = new ClientQuotaEntity(new HashMap<>(Map.of(ClientQuotaEntity.USER, "alice")));
        call("alterClientQuotas", () -> admin.alterClientQuotas(List.of(
            new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1024.0))))).all());
        call("describeClientQuotas", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities());
        call("alterClientQuotas", () -> admin.alterClientQuotas(List.of(
            new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op("nonsense", 1.0))))).all());
        call("alterUserScramCredentials", () -> admin.alterUserScramCredentials(List.of(
            new UserScramCredentialUpsertion("alice", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 8192), "pw"))).all());
        call("describeUserScramCredentials", () -> admin.describeUserScramCredentials().all());
        call("alterUserScramCredentials", () -> outcomes(admin.alterUserScramCredentials(List.of(
            new UserScramCredentialDeletion("alice", ScramMechanism.SCRAM_SHA_256),
            new UserScramCredentialDeletion("bob", ScramMechanism.SCRAM_SHA_512))).values()));
        call("clientInstanceId", () -> admin.clientInstanceId(Duration.ofSeconds(2)));
    }

    private void security() throws Exception {
        var binding = new AclBinding(new ResourcePattern(ResourceType.TOPIC, TOPIC, PatternType.LITERAL),
            new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
        call("createAcls", () -> admin.createAcls(List.of(binding)).all());
        call("describeAcls", () -> admin.describeAcls(AclBindingFilter.ANY).values());
        call("deleteAcls", () -> admin.deleteAcls(List.of(AclBindingFilter.ANY)).all());
        call("createDelegationToken", () -> admin.createDelegationToken().delegationToken());
        call("describeDelegationToken", () -> admin.describeDelegationToken().delegationTokens());
        call("renewDelegationToken", () -> admin.renewDelegationToken(new byte[] {1}).expiryTimestamp());
        call("expireDelegationToken", () -> admin.expireDelegationToken(new byte[] {1}).expiryTimestamp());
    }

    private void cluster() throws Exception {
        call("describeCluster", () -> {
            var described = admin.describeCluster();
            return ids(described.nodes().get().stream().sorted((a, b) -> a.id() - b.id()).collect(Collectors.toList()))
                + described.controller().get().id() + described.authorizedOperations().get() + described.clusterId().get().length();
        });
        call("describeFeatures", () -> admin.describeFeatures().featureMetadata());
        call("updateFeatures", () -> admin.updateFeatures(Map.of("nonsense",
            new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)),
            new org.apache.kafka.clients.admin.UpdateFeaturesOptions()).all());
        call("describeMetadataQuorum", () -> admin.describeMetadataQuorum().quorumInfo());
        call("unregisterBroker", () -> admin.unregisterBroker(7).all());
        call("addRaftVoter", () -> admin.addRaftVoter(7, Uuid.randomUuid(), Set.of()).all());
        call("removeRaftVoter", () -> admin.removeRaftVoter(7, new Uuid(1, 2)).all());
    }

    /** What came after 3.9. */
    private void newer() throws Exception {
        reflect("listGroups");
        reflect("listConfigResources");
        reflect("describeClassicGroups", List.of("missing"));
        reflect("describeShareGroups", List.of("missing"));
        reflect("describeStreamsGroups", List.of("missing"));
        reflect("deleteShareGroups", List.of("missing"));
        reflect("deleteStreamsGroups", List.of("missing"));
        reflect("alterShareGroupOffsets", "missing", Map.of(PARTITION, 1L));
        reflect("alterStreamsGroupOffsets", "missing", Map.of(PARTITION, new OffsetAndMetadata(1)));
        reflect("deleteShareGroupOffsets", "missing", Set.of(TOPIC));
        reflect("deleteStreamsGroupOffsets", "missing", Set.of(PARTITION));
        reflect("listShareGroupOffsets", Map.of());
        reflect("listStreamsGroupOffsets", Map.of());
        reflect("unregisterController", 7);
    }

    /** Calls a method that these clients may not have, and waits for `all()` of what it gives. */
    private void reflect(String name, Object... arguments) {
        for (Method method : Admin.class.getMethods()) {
            if (method.getName().equals(name) && method.getParameterCount() == arguments.length && accepts(method, arguments)) {
                call(name, () -> {
                    Object result = method.invoke(admin, arguments);
                    Object value = result.getClass().getMethod("all").invoke(result);
                    return text(value);
                });
                return;
            }
        }
    }

    private static boolean accepts(Method method, Object[] arguments) {
        for (int at = 0; at < arguments.length; at++) {
            Class<?> wanted = method.getParameterTypes()[at];
            if (!wanted.isInstance(arguments[at]) && !(wanted == int.class && arguments[at] instanceof Integer)) {
                return false;
            }
        }
        return true;
    }
}
