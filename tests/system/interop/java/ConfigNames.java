import java.util.TreeSet;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.storage.internals.log.LogConfig;

/** Prints every key of Kafka's brokers as `broker NAME`, and of its topics as `topic NAME`. */
public final class ConfigNames {
    public static void main(String[] arguments) {
        print("broker", KafkaConfig.configDef());
        print("topic", LogConfig.configDefCopy());
    }

    private static void print(String kind, ConfigDef keys) {
        for (String name : new TreeSet<>(keys.names())) {
            System.out.println(kind + " " + name);
        }
    }
}
